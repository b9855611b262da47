/**
 * Readers: files of other people's formats → records. A row that is not valid is set aside with its line and
 * the reason; nothing is dropped in silence and one bad row stops nothing.
 */
import { z } from 'zod'
import { ConversationRecord, TokenRecord, type Message } from '../../schemas/records.ts'
import { SteerError, fail } from '../errors.ts'
import type { ByteChunks } from '../util/byte-chunks.ts'
import { readNdjson } from '../util/ndjson.ts'
import { fromChatRow } from './chat-format.ts'
import { fromNemoRecord, NemoRecord } from './nemo-format.ts'
import { shapeProblem } from './row-shape.ts'

/** A row that is not valid. `raw` is the line's text, cut to 2,000 characters. */
export interface QuarantinedRow {
  line: number
  problem: string
  raw: string
}

const level = z.int().min(0).max(4)
/** A rating, or the ratings of the single annotators (HelpSteer2's `disagreements`). */
const helpsteerValue = z.union([level, z.array(level).min(1)])
const helpsteerNames = [
  'helpfulness',
  'correctness',
  'coherence',
  'complexity',
  'verbosity',
] as const
const HelpsteerRow = z.object({
  prompt: z.string(),
  response: z.string(),
  helpfulness: helpsteerValue,
  correctness: helpsteerValue,
  coherence: helpsteerValue,
  complexity: helpsteerValue,
  verbosity: helpsteerValue,
})

/** One parser per format; each throws a `SteerError` or a `ZodError` on a row that is not valid. */
const parsers = {
  /** Our own conversation records. */
  records: (value: unknown): ConversationRecord => ConversationRecord.parse(value),
  /** Token ids with the first token that counts. */
  tokens: (value: unknown): TokenRecord => TokenRecord.parse(checkTokens(value)),
  /** nvidia/HelpSteer and HelpSteer2. */
  helpsteer: (value: unknown): ConversationRecord => fromHelpsteer(HelpsteerRow.parse(value)),
  /** NeMo-Aligner's AC-SFT rows. */
  nemo: (value: unknown): ConversationRecord =>
    ConversationRecord.parse(fromNemoRecord(NemoRecord.parse(value))),
  /** `{messages: […]}`, OpenAI's fine-tuning rows among them, or `{prompt, response}`. */
  chat: (value: unknown): ConversationRecord => fromChatRow(value),
} as const

export type RecordFormat = keyof typeof parsers
export const recordFormats = Object.keys(parsers) as RecordFormat[]

/** The record type of a format. */
export type RecordOf<F extends RecordFormat> = ReturnType<(typeof parsers)[F]>

/** Of a quarantined row's text. */
const maxRawLength = 2000
const maxProblemLength = 500

/**
 * Streams the records of an NDJSON file or of its bytes, gzipped or not, with their lines. Bad rows go to `onBadRow`, one at a time.
 * Fails BAD_FILE when the file cannot be read.
 */
export async function* readRecords<F extends RecordFormat>(
  source: string | ByteChunks,
  format: F,
  onBadRow: (row: QuarantinedRow) => unknown,
): AsyncGenerator<{ record: RecordOf<F>; line: number }> {
  for await (const row of readNdjson(source)) {
    const parsed = 'problem' in row ? { problem: row.problem } : parseRow(row.value, format)
    if ('record' in parsed) {
      yield { record: parsed.record, line: row.line }
      continue
    }
    await onBadRow({
      line: row.line,
      problem: parsed.problem.slice(0, maxProblemLength),
      raw: row.raw.slice(0, maxRawLength),
    })
  }
}

function parseRow<F extends RecordFormat>(
  value: unknown,
  format: F,
): { record: RecordOf<F> } | { problem: string } {
  const problem = shapeProblem(value)
  if (problem !== null) return { problem }
  try {
    return { record: parsers[format](value) as RecordOf<F> }
  } catch (error) {
    return { problem: problemOf(error) }
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

function fromHelpsteer(row: z.infer<typeof HelpsteerRow>): ConversationRecord {
  const attributes: Record<string, number> = {}
  const ratings: Record<string, number[]> = {}
  for (const name of helpsteerNames) {
    const value = row[name]
    if (typeof value === 'number') {
      attributes[name] = value
      continue
    }
    ratings[name] = value
    attributes[name] = value.reduce((sum, rating) => sum + rating, 0) / value.length
  }
  const reply: Message = { role: 'assistant', content: row.response, attributes }
  if (Object.keys(ratings).length > 0) reply.ratings = ratings
  return { messages: [...splitHelpsteerPrompt(row.prompt), reply] }
}

/**
 * HelpSteer2 keeps earlier turns inside `prompt`, between `<extra_id_1>Assistant\n` and `<extra_id_1>User\n`.
 * As messages they render to the same `nemo` text and can be used with any other template.
 */
function splitHelpsteerPrompt(prompt: string): Message[] {
  const parts = prompt.split(/\n?<extra_id_1>(User|Assistant)\n/)
  const messages: Message[] = [{ role: 'user', content: parts[0]! }]
  for (let i = 1; i < parts.length; i += 2) {
    const role = parts[i] === 'User' ? 'user' : 'assistant'
    messages.push({ role, content: parts[i + 1]! })
  }
  return messages
}

/** The first wrong token only: a schema would report millions. */
function checkTokens(value: unknown): unknown {
  const { tokens } = (value ?? {}) as { tokens?: unknown }
  if (!Array.isArray(tokens)) return value
  const wrong = tokens.findIndex((token) => !Number.isSafeInteger(token) || token < 0)
  if (wrong >= 0) fail('BAD_RECORD', `tokens.${wrong}: expected a token id`)
  return value
}
