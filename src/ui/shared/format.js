/** Numbers, sizes and times as people read them. */

export const count = (value) => Math.round(value).toLocaleString('en')

export function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let power = 0
  while (value >= 999.5 && power < units.length - 1) {
    value /= 1000
    power += 1
  }
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`
}

/** Up to three significant digits, with a real minus. */
export function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const text =
    size !== 0 && (size < 0.001 || size >= 1e6)
      ? value.toExponential(1)
      : size >= 1000
        ? count(value)
        : String(Number(value.toPrecision(3)))
  return text.replaceAll('-', '−')
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}

/** How long ago; `now` and `time` in seconds since 1970. */
export function ago(time, now = Date.now() / 1000) {
  const seconds = now - time
  if (seconds < 45) return 'just now'
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`
  return new Date(time * 1000).toLocaleDateString('en', { dateStyle: 'medium' })
}

/** The letters of a portrait: `Selma of Ravenhill` → `SR`. */
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^\p{Lu}/u.test(word))
  const chosen = words.length > 0 ? words : name.split(/\s+/)
  const letters = chosen.length > 1 ? [chosen[0], chosen.at(-1)] : chosen
  return letters.map((word) => [...word][0] ?? '').join('').toUpperCase() // prettier-ignore
}

/** A hue that stays the same for a name. */
export function hueOfName(name) {
  let hash = 7
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 360
  return hash
}
