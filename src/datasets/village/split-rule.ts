/**
 * What training must not see. The rule depends on the text alone, not on the seed, so that data made
 * with different seeds stay apart: every tenth opening message, and every tenth pair of a speaker's
 * trade and the thing asked about, belong to the held-out part.
 */

/** FNV-1a, 32 bits, over UTF-16 units; then one round of mixing so that the low digits are even. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 13)) >>> 0
}

/** Whether an opening player message is reserved for the held-out part. */
export function isHeldOutOpening(text: string): boolean {
  return hash(text.toLowerCase()) % 10 === 0
}

/** Whether this trade is never asked about this thing in training. */
export function isHeldOutPair(role: string, entity: string): boolean {
  return entity !== 'talk' && hash(`${role}|${entity}`) % 10 === 0
}
