/** Files of strangers: a pipe could block for ever, a device never end, a size be anything. */
import { readFile, stat } from 'node:fs/promises'

/**
 * The bytes of a regular file of at most so many bytes. Rejects with the system's error (`code` ENOENT and so on), or
 * with an error whose message says what was expected.
 */
export async function readRegularFile(
  path: string,
  maxBytes: number,
): Promise<Buffer<ArrayBuffer>> {
  const found = await stat(path)
  if (!found.isFile()) throw new Error('expected a file')
  if (found.size > maxBytes) {
    throw new Error(`${found.size} bytes; at most ${maxBytes} are read`)
  }
  return readFile(path)
}

/** Why it could not be read, without the path that the caller names anyway. */
export function readFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'cannot be read: there is no such file'
  return code === undefined ? message : `cannot be read (${code})`
}
