/** Rows set aside while a data set is written: counted all, kept in a file up to a number. */
import { createNdjsonWriter, type NdjsonWriter } from '../util/ndjson.ts'
import type { QuarantinedRow } from './readers.ts'

/** A file of nothing but bad rows could otherwise take forty times its size. */
export const maxKeptRows = 100_000

export interface Quarantine {
  add(row: QuarantinedRow): Promise<void>
  /** All rows that were added, kept or not. */
  count(): number
  finish(): Promise<void>
  abort(): Promise<void>
}

/** The file is made with the first row. */
export function createQuarantine(path: string): Quarantine {
  let writer: NdjsonWriter | null = null
  let count = 0
  return {
    async add(row) {
      count += 1
      if (count > maxKeptRows) return
      writer ??= await createNdjsonWriter(path)
      await writer.write(row)
    },
    count: () => count,
    async finish() {
      await writer?.finish()
    },
    async abort() {
      await writer?.abort()
    },
  }
}
