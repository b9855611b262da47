/** `--attributes`: the name of a built-in set, or a JSON file that declares one. */
import { readFileSync } from 'node:fs'
import { AttributeSet } from '../../schemas/attributes.ts'
import { describeIssues } from '../datasets/readers.ts'
import { fail } from '../errors.ts'
import { attributeSet } from '../labels/attribute-sets.ts'

/** What has a `.json` ending is a file with a list of attributes (`schemas/attributes.ts`). Fails BAD_ARGUMENT, BAD_FILE. */
export function readAttributeSet(nameOrFile: string): AttributeSet {
  if (!nameOrFile.endsWith('.json')) return attributeSet(nameOrFile)
  let raw: unknown
  try {
    raw = JSON.parse(readFileSync(nameOrFile, 'utf8'))
  } catch (cause) {
    fail('BAD_FILE', `--attributes: ${nameOrFile} cannot be read as JSON`, { cause })
  }
  const parsed = AttributeSet.min(1).safeParse(raw)
  if (parsed.success) return parsed.data
  return fail('BAD_FILE', `--attributes: ${nameOrFile}: ${describeIssues(parsed.error)}`)
}
