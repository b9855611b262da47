/**
 * How models are named everywhere: `village`, `village@prod` (an alias), `village@3` (a version). Letters, digits and
 * `. _ -` only, so that no name leaves its folder.
 */
import { fail } from '../errors.ts'

export const modelNamePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/i
/** Begins with a letter, so that an alias is never taken for a version. */
export const aliasPattern = /^[a-z][a-z0-9._-]{0,63}$/i

/** The alias that a bare name means, and that the server serves. */
export const servedAlias = 'prod'

/** The parts of `name`, `name@alias` or `name@version`. */
export interface ModelReference {
  readonly model: string
  readonly alias: string | null
  readonly version: number | null
}

/** Null where the text has another form. */
export function parseModelReference(text: string): ModelReference | null {
  const [model = '', ref, ...rest] = text.split('@')
  if (!modelNamePattern.test(model) || rest.length > 0) return null
  if (ref === undefined) return { model, alias: null, version: null }
  if (/^[1-9]\d{0,8}$/.test(ref)) return { model, alias: null, version: Number(ref) }
  return aliasPattern.test(ref) ? { model, alias: ref, version: null } : null
}

/** Fails BAD_ARGUMENT on a name that could leave its folder. */
export function checkModelName(name: string): string {
  if (modelNamePattern.test(name)) return name
  const detail = `model name "${name.slice(0, 100)}": expected letters, digits, . _ -`
  return fail('BAD_ARGUMENT', detail, { param: 'name' })
}

/** Fails BAD_ARGUMENT on what is no alias. */
export function checkAlias(alias: string): string {
  if (aliasPattern.test(alias)) return alias
  const detail = `alias "${alias.slice(0, 100)}": expected a letter, then letters, digits, . _ -`
  return fail('BAD_ARGUMENT', detail, { param: 'alias' })
}
