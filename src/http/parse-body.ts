/** Unknown input through a zod schema; what is wrong with it becomes one BAD_REQUEST with OpenAI's `param`. */
import type { z } from 'zod'
import { fail } from '../errors.ts'

/** The checked value. Fails BAD_REQUEST, naming the first field at fault. */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  what = 'the body',
): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const { path, message } = mostTelling(result.error.issues as Issue[])
  const param = path.join('.')
  return fail('BAD_REQUEST', `${param || what}: ${message}`, { param: param || null })
}

type Issue = z.core.$ZodIssue
type Located = { path: PropertyKey[]; message: string }

function mostTelling(issues: readonly Issue[]): Located {
  return locate(issues[0]!)
}

function locate(issue: Issue): Located {
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys
    return { path: [...issue.path, key!], message: 'the field is not supported' }
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return locateInUnion(issue)
  return { path: issue.path, message: lowerFirst(issue.message) }
}

/** Of a union's branches the one that the input fits furthest; branches that fail at the root are listed. */
function locateInUnion(issue: Issue & { code: 'invalid_union' }): Located {
  const branches = issue.errors.map((inner) => locate(inner[0] as Issue))
  const deepest = branches.reduce((a, b) => (b.path.length > a.path.length ? b : a))
  if (deepest.path.length > 0) {
    return { path: [...issue.path, ...deepest.path], message: deepest.message }
  }
  const messages = [...new Set(branches.map((branch) => branch.message))]
  return { path: issue.path, message: messages.join(' or ') }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
