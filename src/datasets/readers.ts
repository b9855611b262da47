/**
 * Readers: files of other people's formats → records. A row that is not valid is set aside with its line and
 * the reason; nothing is dropped in silence and one bad row stops nothing.
 */
import { z } from 'zod'
import type { ConversationRecord, PreferenceRecord, TokenRecord } from '../../schemas/records.ts'
import { SteerError } from '../errors.ts'
import type { ByteChunks } from '../util/byte-chunks.ts'
import type { FileRow, ValidRow } from './files/file-row.ts'
import { readRows, readRowsOfFile } from './files/read-rows.ts'
import { columnValue, textOf } from './formats/column-map.ts'
import type { Assembled, ColumnMap, FormatOptions, StoredRecord } from './formats/format.ts'
import { rowFormat, type RecordFormat } from './formats/index.ts'
import { shapeProblem } from './row-shape.ts'

export { recordFormats, rowFormat, type RecordFormat } from './formats/index.ts'

/** A row that is not valid. `raw` is the line's text, cut to 2,000 characters. */
export interface QuarantinedRow {
  /** Of a set that was made from several files. */
  file?: string
  line: number
  problem: string
  raw: string
}

type PreferenceFormat = 'preferences' | 'helpsteer2-preference' | 'helpsteer3' | 'hh-rlhf' | 'pairs'

/** The record type of a format. */
export type RecordOf<F extends RecordFormat> = F extends 'tokens'
  ? TokenRecord
  : F extends PreferenceFormat
    ? PreferenceRecord
    : F extends 'columns'
      ? ConversationRecord | PreferenceRecord
      : ConversationRecord

export interface ReadOptions extends FormatOptions {
  /** Only rows whose columns have these values, compared as texts. */
  where?: ColumnMap
  /** Called for every row that `where` leaves out. */
  onLeftOut?: () => void
}

/** Of a quarantined row's text. */
const maxRawLength = 2000
const maxProblemLength = 500

/**
 * Streams the records of a file or of its bytes, gzipped or not, with the lines that completed them. Bad rows go to
 * `onBadRow`, one at a time. Fails BAD_FILE when the file cannot be read.
 */
export async function* readRecords<F extends RecordFormat>(
  source: string | ByteChunks,
  format: F,
  onBadRow: (row: QuarantinedRow) => unknown,
  options: ReadOptions = {},
): AsyncGenerator<{ record: RecordOf<F>; line: number }> {
  const rows = typeof source === 'string' ? readRowsOfFile(source) : readRows(source)
  yield* recordsOfRows(rows, format, onBadRow, options)
}

/** The same of rows that have been read already. */
export async function* recordsOfRows<F extends RecordFormat>(
  rows: AsyncIterable<FileRow>,
  format: F,
  onBadRow: (row: QuarantinedRow) => unknown,
  options: ReadOptions = {},
): AsyncGenerator<{ record: RecordOf<F>; line: number }> {
  const assembler = rowFormat(format, options).createAssembler()
  const setAside = async ({ line, raw }: FileRow, problem: string): Promise<void> => {
    await onBadRow({
      line,
      problem: problem.slice(0, maxProblemLength),
      raw: raw.slice(0, maxRawLength),
    })
  }
  let line = 0
  for await (const row of rows) {
    line = row.line
    if ('problem' in row) {
      await setAside(row, row.problem)
      continue
    }
    if (!isWanted(row.value, options.where)) {
      options.onLeftOut?.()
      continue
    }
    const assembled = assemble(row, (valid) => assembler.add(valid))
    for (const { row: misfit, problem } of assembled.misfits ?? []) await setAside(misfit, problem)
    yield* placed<F>(assembled.records, line)
  }
  if (assembler.end) yield* placed<F>(assembler.end().records, line)
}

function* placed<F extends RecordFormat>(
  records: readonly StoredRecord[],
  line: number,
): Generator<{ record: RecordOf<F>; line: number }> {
  for (const record of records) yield { record: record as RecordOf<F>, line }
}

function isWanted(row: unknown, where: ColumnMap = {}): boolean {
  return Object.entries(where).every(([column, text]) => {
    const value = columnValue(row, column) ?? ''
    return textOf(value) === text
  })
}

function assemble(row: ValidRow, add: (row: ValidRow) => Assembled): Assembled {
  const problem = shapeProblem(row.value)
  if (problem !== null) return { records: [], misfits: [{ row, problem }] }
  try {
    return add(row)
  } catch (error) {
    return { records: [], misfits: [{ row, problem: problemOf(error) }] }
  }
}

/** What is wrong with a row, in one line. Errors that are not about the row are thrown on. */
function problemOf(error: unknown): string {
  if (error instanceof z.ZodError) return describeIssues(error)
  if (error instanceof SteerError) return error.detail
  throw error
}

/** `messages.0.role: Invalid option; …`, at most three. */
export function describeIssues(error: z.ZodError): string {
  const texts = error.issues.slice(0, 3).map((issue) => {
    const path = issue.path.join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  })
  const more = error.issues.length - texts.length
  return texts.join('; ') + (more > 0 ? `; and ${more} more` : '')
}
