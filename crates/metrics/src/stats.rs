//! Intervals and random numbers, each with its source.

/// Ends of the exact interval for the mean of a Poisson count, at `confidence` (0.95): the values under which
/// so many, or so few, would be seen with half the remaining chance each. F. Garwood, Fiducial limits for the
/// Poisson distribution, Biometrika 28 (1936).
pub fn poisson_interval(count: u64, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    let low = if count == 0 {
        0.0
    } else {
        // P(X >= count) rises with the mean.
        bisect(count, |mean| 1.0 - poisson_cdf(count - 1, mean) >= tail)
    };
    let high = bisect(count, |mean| poisson_cdf(count, mean) <= tail);
    (low, high)
}

/// The smallest mean for which `reached`, which is monotone.
fn bisect(count: u64, reached: impl Fn(f64) -> bool) -> f64 {
    // Beyond ten standard deviations and ten counts nothing of interest is left.
    let (mut low, mut high) = (0.0, count as f64 + 10.0 * (count as f64).sqrt() + 20.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if reached(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// P(X <= count) of a Poisson variable, summed from the largest term so that nothing underflows.
pub fn poisson_cdf(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut log_term = -mean;
    let mut largest = log_term;
    let mut terms = Vec::with_capacity(count.min(1 << 20) as usize + 1);
    terms.push(log_term);
    for k in 1..=count {
        log_term += mean.ln() - (k as f64).ln();
        largest = largest.max(log_term);
        terms.push(log_term);
    }
    let sum: f64 = terms.iter().map(|t| (t - largest).exp()).sum();
    (largest + sum.ln()).exp().min(1.0)
}

/// A fixed sequence of random numbers: `SplitMix64` (Steele, Lea, Flood, Fast splittable pseudorandom number
/// generators, OOPSLA 2014).
pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal, by the polar method of G. Marsaglia.
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = x * x + y * y;
            if s < 1.0 && s > 0.0 {
                return x * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// Gamma with this shape and scale one: G. Marsaglia, W. W. Tsang, A simple method for generating gamma
    /// variables, ACM TOMS 26 (2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Poisson with this mean: the product method in chunks of mean 30; above 300 the normal approximation,
    /// whose error there is far below one count.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 300.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (mut left, mut out) = (mean, 0);
        while left > 0.0 {
            let limit = (-left.min(30.0)).exp();
            left -= 30.0;
            let mut product = self.uniform();
            while product > limit {
                out += 1;
                product *= self.uniform();
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() <= within, "{a} is not {b}");
    }

    /// Published values of the exact 95 % limits.
    #[test]
    fn exact_poisson_limits_are_the_published_ones() {
        for (count, low, high) in [
            (0, 0.0, 3.6889),
            (1, 0.0253, 5.5716),
            (5, 1.6235, 11.6683),
            (10, 4.7954, 18.3904),
            (100, 81.3640, 121.6268),
        ] {
            let (a, b) = poisson_interval(count, 0.95);
            near(a, low, 2e-4);
            near(b, high, 2e-4);
        }
    }

    #[test]
    fn the_distribution_function_adds_up() {
        near(poisson_cdf(0, 2.0), (-2.0_f64).exp(), 1e-12);
        near(poisson_cdf(2, 2.0), 5.0 * (-2.0_f64).exp(), 1e-12);
        near(poisson_cdf(5_000, 1_000.0), 1.0, 1e-9);
        assert!(poisson_cdf(10, 5_000.0) < 1e-300);
    }

    #[test]
    fn random_numbers_have_their_moments() {
        let mut random = Random::seeded(7);
        for (shape, mean) in [(0.5, 3.0), (4.0, 40.0), (60.0, 700.0)] {
            let n = 20_000;
            let gammas: Vec<f64> = (0..n).map(|_| random.gamma(shape)).collect();
            let counts: Vec<f64> = (0..n).map(|_| random.poisson(mean) as f64).collect();
            for (values, mean, variance) in [(gammas, shape, shape), (counts, mean, mean)] {
                let m = values.iter().sum::<f64>() / f64::from(n);
                let v = values.iter().map(|x| (x - m).powi(2)).sum::<f64>() / f64::from(n);
                near(m, mean, 6.0 * (variance / f64::from(n)).sqrt());
                near(v / variance, 1.0, 0.12);
            }
        }
    }
}
