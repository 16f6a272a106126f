// The margin of an estimate from a sample.
//
// A record of a sample stands for s/p bytes (asm/FORMAT.md, "Samples"), so a sum over records is an estimate, with the
// variance V = Σ s²(1 − p)/p² that core.wasm sums beside it. The plain margin of z standard deviations, ±z√V, is too
// narrow where a stack has few records: V is estimated from the same records, so a sum that came out too low has a
// variance that is too low as well. (Of a stack that should have ten records, one in a
// hundred estimates would be off by more than it says, not one in a thousand.) The remedy
// is the one of Wilson's interval, to ask for which truth T this estimate E would be just z
// standard deviations off. Where w is what a record adds to V for each byte it stands for:
//
//     T − E = z√(V + w(T − E))   ⟹   T − E = z²w/2 + z√(V + z²w²/4)
//
// With records of several sizes the largest w is used; it is never more than the mean between samples. The margin
// downwards would be a little smaller; one number for both sides is right above and conservative below.

/** Standard deviations on each side that 99.9 % of a normal distribution are within. */
const Z = 3.29;
/** How likely it is that the truth is within the margin. */
export const CONFIDENCE = 0.999;

/** The ± of an estimate in bytes, a whole number; `spread` is w. 0 when everything in it was certain to be recorded. */
export function margin(variance: number, spread: number): number {
  const half = (Z * spread) / 2;
  return Math.ceil(Z * (half + Math.sqrt(variance + half * half)));
}
