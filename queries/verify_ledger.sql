-- Lines of the ledger whose equations (promise P1) do not hold.
SELECT *
FROM ledger
WHERE end_offset - start_offset <> records + gaps
   OR elements <> accepted + duplicate + late + dead + ignored
   OR gaps < 0
   OR records < 0
