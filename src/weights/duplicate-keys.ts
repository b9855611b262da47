/** Finds what JSON.parse hides: a key that stands twice in one object. */

/**
 * The first repeated key of an object anywhere in `json`, which must be valid JSON.
 * In valid JSON a string is a key exactly when a colon follows it.
 */
export function findDuplicateKey(json: string): string | undefined {
  const objects: Set<string>[] = []
  const interesting = /["{}]/g
  for (let match = interesting.exec(json); match; match = interesting.exec(json)) {
    if (match[0] === '{') objects.push(new Set())
    else if (match[0] === '}') objects.pop()
    else {
      const end = endOfString(json, match.index)
      interesting.lastIndex = end
      if (!isColonNext(json, end)) continue
      const key = JSON.parse(json.slice(match.index, end)) as string
      const keys = objects.at(-1)!
      if (keys.has(key)) return key
      keys.add(key)
    }
  }
  return undefined
}

/** Position after the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    const char = json[i]
    if (char === '\\') i++
    else if (char === '"') return i + 1
  }
  return json.length
}

function isColonNext(json: string, from: number): boolean {
  let i = from
  while (json[i] === ' ' || json[i] === '\n' || json[i] === '\t' || json[i] === '\r') i++
  return json[i] === ':'
}
