/** Reading fields of a `config.json`: what is malformed, and what is not supported. */
import { z } from 'zod'
import { fail } from '../../errors.ts'

/** `where` names the file in messages. */
export interface ConfigSource {
  readonly raw: unknown
  readonly where: string
}

export const size = (max: number) => z.number().int().min(1).max(max)

/** Throws BAD_CHECKPOINT with the first field at fault. */
export function readFields<T>(source: ConfigSource, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(source.raw)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  return malformed(source, `${issue.path.join('.') || 'config'}: ${issue.message}`)
}

export const malformed = ({ where }: ConfigSource, message: string): never =>
  fail('BAD_CHECKPOINT', `${where}: ${message}`)

/** For what is well-formed and not implemented. */
export const unsupported = (
  { where }: ConfigSource,
  what: string,
  supported: readonly string[],
): never =>
  fail('ARCHITECTURE_UNSUPPORTED', `${where}: ${what}; supported: ${supported.join(', ')}`)
