/**
 * CSV and TSV (RFC 4180, with a header) as rows of texts, by csv-parse. Bytes are read as latin1 and each field is
 * decoded by itself, so that one field that is not UTF-8 costs its row and not the file.
 */
import { Readable } from 'node:stream'
import { parse, type CsvError, type Info } from 'csv-parse'
import { fail } from '../../errors.ts'
import type { ByteChunks } from '../../util/byte-chunks.ts'
import { maxLineBytes } from '../../util/ndjson.ts'
import type { FileRow } from './file-row.ts'

interface RawRecord {
  record: string[]
  raw: string
  info: Info
}

/** Rows by the header's names; an empty field is null. Fails BAD_FILE on a header with a name twice or none. */
export async function* readCsv(chunks: ByteChunks, delimiter: string): AsyncGenerator<FileRow> {
  const parser = parse({
    delimiter,
    encoding: 'latin1',
    record_delimiter: ['\r\n', '\n'],
    info: true,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxLineBytes,
  })
  const source = Readable.from(chunks, { objectMode: false })
  source.once('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let header: string[] | null = null
  try {
    for await (const next of parser) {
      const { record, raw, info } = next as RawRecord
      if (header) yield toRow(header, record, raw, info.lines)
      else header = readHeader(record)
    }
  } catch (error) {
    rethrow(error)
  } finally {
    source.destroy()
    parser.destroy()
  }
}

/** After a quote that never ends nothing can be told apart any more, so the file is refused as a whole. */
function rethrow(error: unknown): never {
  const { code, message, lines } = error as Partial<CsvError> & { lines?: number }
  if (!code?.startsWith('CSV_')) throw error
  const place = lines === undefined ? '' : `line ${lines}: `
  return fail('BAD_FILE', `${place}the CSV data are not valid: ${message}`, { cause: error })
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf8Start = new TextDecoder('utf-8', { fatal: true })

const decode = (field: string, decoder = utf8): string =>
  decoder.decode(Buffer.from(field, 'latin1'))

function readHeader(record: readonly string[]): string[] {
  let names: string[]
  try {
    names = record.map((field, i) => decode(field, i === 0 ? utf8Start : utf8).trim())
  } catch {
    return fail('BAD_FILE', 'the header of the CSV file is not UTF-8')
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) fail('BAD_FILE', `the CSV file has the column "${twice}" twice`)
  return names
}

function toRow(header: readonly string[], record: string[], raw: string, line: number): FileRow {
  const text = Buffer.from(raw, 'latin1').toString('utf8').trimEnd()
  if (record.length !== header.length) {
    const problem = `expected ${header.length} fields, found ${record.length}`
    return { line, problem, raw: text }
  }
  try {
    const fields = record.map((field) => (field === '' ? null : decode(field)))
    return {
      line,
      value: Object.fromEntries(header.map((name, i) => [name, fields[i]])),
      raw: text,
    }
  } catch {
    return { line, problem: 'the row is not UTF-8', raw: text }
  }
}
