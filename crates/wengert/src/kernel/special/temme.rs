//! Incomplete gamma for large `a` and `x` within 30% of it: Temme's uniform expansion.
//!
//! `Q(a, x) = erfc(y) / 2 + e^(-y^2) S / sqrt(2 pi a)` with `y^2 = a (l - 1 - ln l)`, `l = x / a`, and `S =
//! sum_k C_k(eta) a^-k`, `eta = sign(l - 1) |y| sqrt(2 / a)`. The exponent is kept in double-double; the rest
//! has no cancellation. Eight rows of coefficients are enough for `a >= 200`.
//!
//! # References
//! N. M. Temme, SIAM J. Math. Anal. 10 (1979); DLMF 8.12.3-8.12.13.

use std::f64::consts::PI;

use super::dd::{Dd, two_sum};
use super::erf::erfcx;
use super::lgamma::stirling;
use super::poly::horner;

/// One point of the expansion.
pub(crate) struct Temme {
    a: f64,
    /// `x / a - 1` and `eta`, of one sign.
    mu: f64,
    eta: f64,
    /// `e^(-y^2)`, and `|y|`.
    gauss: f64,
    y: f64,
}

/// Whether the expansion holds at (a, x).
pub(crate) fn applies(a: f64, x: f64) -> bool {
    a >= 200.0 && (x - a).abs() < 0.3 * a
}

impl Temme {
    pub(crate) fn at(a: f64, x: f64) -> Temme {
        // Scaled so that the exact products inside the division stay in range.
        let scale = if a > 1e290 { 2f64.powi(-400) } else { 1.0 };
        let mu = two_sum(x * scale, -a * scale) / Dd::from(a * scale);
        let phi = if mu.hi.abs() < 0.05 { mu.minus_log1p() } else { mu - (Dd::from(1.0) + mu).ln() };
        let (gauss, y) = if phi.hi * a > 800.0 {
            (0.0, f64::INFINITY)
        } else {
            let square = phi * Dd::from(a * scale) * Dd::from(1.0 / scale);
            ((-square).exp(), square.hi.sqrt())
        };
        Temme { a, mu: mu.hi, eta: (2.0 * phi.hi).sqrt().copysign(mu.hi), gauss, y }
    }

    /// `(P, Q)`, the smaller one to full relative accuracy.
    pub(crate) fn p_q(&self) -> (f64, f64) {
        let s = self.rows().rev().fold(0.0, |sum, row| sum / self.a + horner(row, self.eta));
        let s = s / (2.0 * PI * self.a).sqrt();
        let tail = 0.5 * erfcx(self.y);
        if self.mu < 0.0 {
            let p = self.gauss * (tail - s);
            (p, 1.0 - p)
        } else {
            let q = self.gauss * (tail + s);
            (1.0 - q, q)
        }
    }

    /// `dP/da` at fixed `x`; from `d(y^2)/da = -ln l` and `d eta/da = -mu / (a eta)`.
    pub(crate) fn p_da(&self) -> f64 {
        let log = self.mu.ln_1p();
        let slope = if self.eta == 0.0 { 1.0 } else { self.mu / self.eta };
        let log_over_eta = if self.eta == 0.0 { 1.0 } else { log / self.eta };
        let (mut s, mut s_da) = (0.0, 0.0);
        for (k, row) in self.rows().enumerate().rev() {
            let weight = self.a.powi(-(k as i32));
            let (value, derivative) = with_derivative(row, self.eta);
            s += weight * value;
            s_da -= weight / self.a * (k as f64 * value + slope * derivative);
        }
        let front = self.gauss / (2.0 * PI * self.a).sqrt();
        -front * (log_over_eta + (log - 0.5 / self.a) * s + s_da)
    }

    /// `x dP/dx`: the exponential against Stirling's series of Gamma(a).
    pub(crate) fn p_dx_times_x(&self) -> f64 {
        self.gauss * (self.a / (2.0 * PI)).sqrt() * (-stirling(self.a)).exp()
    }

    fn rows(&self) -> std::array::IntoIter<&'static [f64], 8> {
        let rows: [&'static [f64]; 8] = [&D0, &D1, &D2, &D3, &D4, &D5, &D6, &D7];
        rows.into_iter()
    }
}

fn with_derivative(c: &[f64], u: f64) -> (f64, f64) {
    c.iter().rev().fold((0.0, 0.0), |(p, dp), &ck| (p * u + ck, dp * u + p))
}

const D0: [f64; 20] = [
    -0.3333333333333333,
    0.08333333333333333,
    -0.014814814814814815,
    0.0011574074074074073,
    0.0003527336860670194,
    -0.0001787551440329218,
    3.919263178522438e-05,
    -2.185448510679992e-06,
    -1.85406221071516e-06,
    8.296711340953087e-07,
    -1.7665952736826078e-07,
    6.707853543401498e-09,
    1.0261809784240309e-08,
    -4.382036018453353e-09,
    9.14769958223679e-10,
    -2.5514193994946248e-11,
    -5.830772132550426e-11,
    2.4361948020667415e-11,
    -5.0276692801141755e-12,
    1.1004392031956135e-13,
];
const D1: [f64; 18] = [
    -0.001851851851851852,
    -0.003472222222222222,
    0.0026455026455026454,
    -0.0009902263374485596,
    0.00020576131687242798,
    -4.018775720164609e-07,
    -1.8098550334489977e-05,
    7.64916091608111e-06,
    -1.6120900894563446e-06,
    4.647127802807434e-09,
    1.378633446915721e-07,
    -5.752545603517705e-08,
    1.1951628599778148e-08,
    -1.7543241719747647e-11,
    -1.0091543710600413e-09,
    4.162792991842583e-10,
    -8.56390702649298e-11,
    6.067215101604758e-14,
];
const D2: [f64; 16] = [
    0.004133597883597883,
    -0.0026813271604938273,
    0.0007716049382716049,
    2.0093878600823047e-06,
    -0.0001073665322636516,
    5.2923448829120125e-05,
    -1.2760635188618728e-05,
    3.423578734096138e-08,
    1.3721957309062934e-06,
    -6.298992138380055e-07,
    1.4280614206064242e-07,
    -2.0477098421990866e-10,
    -1.409252991086752e-08,
    6.228974084922022e-09,
    -1.3670488396617114e-09,
    9.428356159014678e-13,
];
const D3: [f64; 14] = [
    0.0006494341563786008,
    0.00022947209362139917,
    -0.0004691894943952557,
    0.00026772063206283885,
    -7.561801671883977e-05,
    -2.396505113867297e-07,
    1.1082654115347302e-05,
    -5.6749528269915965e-06,
    1.4230900732435883e-06,
    -2.7861080291528143e-11,
    -1.6958404091930278e-07,
    8.099464905388083e-08,
    -1.9111168485973655e-08,
    2.3928620439808118e-12,
];
const D4: [f64; 12] = [
    -0.0008618882909167117,
    0.0007840392217200666,
    -0.0002990724803031902,
    -1.4638452578843418e-06,
    6.641498215465122e-05,
    -3.968365047179435e-05,
    1.1375726970678419e-05,
    2.507497226237533e-10,
    -1.6954149536558305e-06,
    8.907507532205309e-07,
    -2.292934834000805e-07,
    2.956794137544049e-11,
];
const D5: [f64; 10] = [
    -0.00033679855336635813,
    -6.972813758365857e-05,
    0.0002772753244959392,
    -0.00019932570516188847,
    6.797780477937208e-05,
    1.419062920643967e-07,
    -1.3594048189768693e-05,
    8.018470256334202e-06,
    -2.291481176508095e-06,
    -3.252473551298454e-10,
];
const D6: [f64; 8] = [
    0.0005313079364639922,
    -0.0005921664373536939,
    0.0002708782096718045,
    7.902353232660328e-07,
    -8.153969367561969e-05,
    5.61168275310625e-05,
    -1.8329116582843375e-05,
    -3.0796134506033047e-09,
];
const D7: [f64; 6] = [
    0.00034436760689237765,
    5.171790908260592e-05,
    -0.00033493161081142234,
    0.0002812695154763237,
    -0.00010976582244684731,
    -1.2741009095484485e-07,
];
