/**
 * Results of the finished pieces of a long work, in a file from which a later run goes on: NDJSON, first a line that
 * says which work it is, then a line a piece. A kill may cut the last line; that piece is done again.
 */
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from './atomic-file.ts'
import { sha256Json } from './hash.ts'

export interface WorkLog<T> {
  /** Pieces that an earlier run finished, by index. */
  readonly kept: ReadonlyMap<number, T>
  /** Keeps a piece: it survives a kill of the process once this has resolved. */
  add(index: number, value: T): Promise<void>
}

interface Piece<T> {
  readonly index: number
  readonly value: T
}

/**
 * Opens the log at `path`; without one nothing is kept. Pieces of another work, whose `identity` (any JSON value)
 * differs, are dropped. Fails as writing a file does.
 */
export async function openWorkLog<T>(
  path: string | undefined,
  identity: unknown,
): Promise<WorkLog<T>> {
  if (path === undefined) return { kept: new Map(), add: async () => {} }
  const head = JSON.stringify({ work: sha256Json(identity) })
  const text = await readFile(path, 'utf8').catch(() => '')
  const [first, ...lines] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const own = first === head ? lines.filter(Boolean) : []
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, [head, ...own, ''].join('\n'))
  const pieces = own.map((line) => JSON.parse(line) as Piece<T>)
  let written: Promise<void> = Promise.resolve()
  return {
    kept: new Map(pieces.map(({ index, value }) => [index, value])),
    add(index, value) {
      // One after another, so that no line lies inside another one.
      const line = `${JSON.stringify({ index, value })}\n`
      return (written = written.then(() => appendFile(path, line)))
    },
  }
}
