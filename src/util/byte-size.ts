/** Sizes of memory as people write them. */

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
}

/** Bytes of `512MB`, `2GiB`, `1.5g` or a plain number; null for anything else. A unit of one letter is binary. */
export function parseByteSize(text: string): number | null {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? []
  const factor = units[unit?.toLowerCase() ?? '?']
  if (digits === undefined || factor === undefined) return null
  const bytes = Math.round(Number(digits) * factor)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}

/** `36.0 MiB` */
export function formatByteSize(bytes: number): string {
  const [unit, factor] =
    bytes >= 2 ** 30 ? ['GiB', 2 ** 30] : bytes >= 2 ** 20 ? ['MiB', 2 ** 20] : ['KiB', 2 ** 10]
  return `${(bytes / (factor as number)).toFixed(1)} ${unit}`
}
