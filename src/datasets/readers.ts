/**
 * Readers: files of other people's formats → records. A row that is not valid is set aside with its line and
 * the reason; nothing is dropped in silence and one bad row stops nothing.
 */
import { z } from 'zod'
import { ConversationRecord, TokenRecord, type Message } from '../../schemas/records.ts'
import { SteerError } from '../errors.ts'
import { readNdjson } from '../util/ndjson.ts'
import { fromNemoRecord, NemoRecord } from './nemo-format.ts'

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

const ChatMessage = z.object({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string(),
})
const ChatRow = z.union([
  z.object({ messages: z.array(ChatMessage).min(1) }),
  z.object({ prompt: z.string(), response: z.string() }),
])

/** One parser per format; each throws a `SteerError` or a `ZodError` on a row that is not valid. */
const parsers = {
  /** Our own conversation records. */
  records: (value: unknown): ConversationRecord => ConversationRecord.parse(value),
  /** Token ids with the first token that counts. */
  tokens: (value: unknown): TokenRecord => TokenRecord.parse(value),
  /** nvidia/HelpSteer and HelpSteer2. */
  helpsteer: (value: unknown): ConversationRecord => fromHelpsteer(HelpsteerRow.parse(value)),
  /** NeMo-Aligner's AC-SFT rows. */
  nemo: (value: unknown): ConversationRecord =>
    ConversationRecord.parse(fromNemoRecord(NemoRecord.parse(value))),
  /** `{messages: […]}` or `{prompt, response}`, other members ignored; no ratings. */
  chat: (value: unknown): ConversationRecord => fromChat(ChatRow.parse(value)),
} as const

export type RecordFormat = keyof typeof parsers
export const recordFormats = Object.keys(parsers) as RecordFormat[]

/** The record type of a format. */
export type RecordOf<F extends RecordFormat> = ReturnType<(typeof parsers)[F]>

/**
 * Streams the records of an NDJSON file (`.gz` too). Bad rows go to `onBadRow`.
 * Fails BAD_FILE when the file cannot be read.
 */
export async function* readRecords<F extends RecordFormat>(
  path: string,
  format: F,
  onBadRow: (row: QuarantinedRow) => void,
): AsyncGenerator<RecordOf<F>> {
  const parse = parsers[format] as (value: unknown) => RecordOf<F>
  for await (const row of readNdjson(path)) {
    if ('problem' in row) {
      onBadRow({ ...row, raw: row.raw.slice(0, 2000) })
      continue
    }
    let record: RecordOf<F>
    try {
      record = parse(row.value)
    } catch (error) {
      const problem = problemOf(error)
      onBadRow({ line: row.line, problem, raw: JSON.stringify(row.value).slice(0, 2000) })
      continue
    }
    yield record
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

function fromChat(row: z.infer<typeof ChatRow>): ConversationRecord {
  if ('messages' in row) return ConversationRecord.parse({ messages: row.messages })
  return {
    messages: [
      { role: 'user', content: row.prompt },
      { role: 'assistant', content: row.response },
    ],
  }
}
