/**
 * Small JSON files of a model folder: read with a size cap, checked to be an object, blamed by name.
 */
import { join } from 'node:path'
import { fail, type ErrorCode } from '../errors.ts'
import { readFailure, readRegularFile } from '../util/read-regular-file.ts'

export type JsonObject = Record<string, unknown>

/** The largest file read; tokenizer.json of the largest vocabularies has about 35 MB. */
const maxFileBytes = 128 * 1024 * 1024

/** The text of `dir/name`, or null when there is no such file. Fails `code` when it cannot be read. */
export async function readTextIfPresent(
  dir: string,
  name: string,
  code: ErrorCode,
): Promise<string | null> {
  const path = join(dir, name)
  try {
    const bytes = await readRegularFile(path, maxFileBytes)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code
    if (missing === 'ENOENT' || missing === 'ENOTDIR') return null
    if (error instanceof TypeError) fail(code, `${path} is not UTF-8`, { cause: error })
    return fail(code, `${path}: ${readFailure(error)}`, { cause: error })
  }
}

/** The object in `dir/name`, or null when there is no such file. Fails `code` otherwise. */
export async function readJsonIfPresent(
  dir: string,
  name: string,
  code: ErrorCode,
): Promise<JsonObject | null> {
  const text = await readTextIfPresent(dir, name, code)
  if (text === null) return null
  return parseJsonObject(text, join(dir, name), code)
}

/** Parses an object; `where` names the file in the error. */
export function parseJsonObject(text: string, where: string, code: ErrorCode): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    fail(code, `${where} is not JSON: ${(error as Error).message}`, { cause: error })
  }
  return isObject(value)
    ? value
    : fail(code, `${where}: expected an object, found ${kindOf(value)}`)
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `null`, `an array` or the `typeof`, for error texts. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value
}
