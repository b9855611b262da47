/**
 * How large and deep the value of a row may be, checked before a schema sees it: a schema reports every element that is
 * wrong, and writers of JSON recurse, so a hostile row of a few megabytes could cost gigabytes or the stack.
 */
const maxDepth = 100
const maxMembers = 200_000

/** What is wrong with the row's shape; null when nothing is. Arrays of nothing but numbers count as one member. */
export function shapeProblem(row: unknown): string | null {
  let members = 0
  let level: object[] = isObject(row) ? [row] : []
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > maxDepth) return `the row is nested deeper than ${maxDepth} levels`
    const next: object[] = []
    for (const container of level) {
      if (isNumbers(container)) continue
      const values = Object.values(container)
      members += values.length
      if (members > maxMembers) return `the row has more than ${maxMembers} members`
      for (const value of values) if (isObject(value)) next.push(value)
    }
    level = next
  }
  return null
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isNumbers = (value: object): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'number')
