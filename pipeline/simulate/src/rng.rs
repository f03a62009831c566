//! Random numbers that are the same for ever and on every machine.
//!
//! The generator is xoshiro256++ 1.0 (David Blackman and Sebastiano Vigna, 2019, public domain,
//! <https://prng.di.unimi.it/xoshiro256plusplus.c>), seeded by splitmix64 from the same authors.
//! `exp` and `ln` are our own series: those of the standard library may differ in the last bit
//! from one platform to the next, and one bit would change a whole stream. Only `+ - * /` and
//! `sqrt` are used, which IEEE 754 fixes.

/// A deterministic stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: [u64; 4],
}

/// The finaliser of splitmix64: turns an integer into one that looks unrelated to it.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let step = |n: u64| mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n)));
        Self { state: [step(0), step(1), step(2), step(3)] }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1), 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// True with this probability; draws nothing where the answer is certain.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Uniform in [0, bound); 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(1.0 - self.unit())
    }

    /// Standard normal, by Marsaglia's polar method.
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let u = 2.0 * self.unit() - 1.0;
            let v = 2.0 * self.unit() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// The index of a cumulative weight table whose last entry is the sum.
    pub(crate) fn pick(&mut self, cumulative: &[f64]) -> usize {
        let Some(total) = cumulative.last() else { return 0 };
        let x = self.unit() * total;
        cumulative.iter().position(|&edge| x < edge).unwrap_or(cumulative.len() - 1)
    }
}

/// A lognormal distribution of seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lognormal {
    median_s: f64,
    sigma: f64,
}

impl Lognormal {
    pub(crate) const fn new(median_s: f64, sigma: f64) -> Self {
        Self { median_s, sigma }
    }

    /// A sample in microseconds.
    pub(crate) fn sample_us(&self, rng: &mut Rng) -> i64 {
        (self.median_s * exp(self.sigma * rng.normal()) * 1e6) as i64
    }
}

/// Natural logarithm of a positive normal number, good to about 1e-13.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let t2 = t * t;
    let mut sum = 0.0;
    for k in (0..9).rev() {
        sum = sum * t2 + 1.0 / f64::from(2 * k + 1);
    }
    2.0 * t * sum + exponent as f64 * std::f64::consts::LN_2
}

/// e to the power x, good to about 1e-14 relative, clamped to ±60 (a latency needs no more).
fn exp(x: f64) -> f64 {
    let x = x.clamp(-60.0, 60.0);
    let k = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let r = x - k * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..14).rev() {
        sum = 1.0 + sum * r / f64::from(n);
    }
    sum * f64::from_bits(((1023 + k as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_standard_library() {
        for x in [1e-9, 0.3, 1.0, 1.5, 2.0, 77.7, 1e12] {
            assert!((ln(x) - f64::ln(x)).abs() < 1e-11, "ln {x}");
        }
        for x in [-30.0, -1.0, 0.0, 0.5, 1.0, 20.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-12, "exp {x}");
        }
    }

    #[test]
    fn the_first_numbers_of_a_seed_never_change() {
        let mut rng = Rng::new(42);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, GOLDEN_42);
    }

    /// From a transcription of the authors' C code into Python; a change breaks every stream.
    const GOLDEN_42: [u64; 3] =
        [15_021_278_609_987_233_951, 5_881_210_131_331_364_753, 18_149_643_915_985_481_100];

    #[test]
    fn lognormal_has_its_median() {
        let mut rng = Rng::new(1);
        let law = Lognormal::new(2.0, 0.5);
        let below = (0..20_000).filter(|_| law.sample_us(&mut rng) < 2_000_000).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }
}
