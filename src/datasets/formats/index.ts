/** The row formats by name: one file a format. */
import { ConversationRecord, PreferenceRecord, TokenRecord } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'
import { attributeSets } from '../../labels/attribute-sets.ts'
import { fromNemoRecord, NemoRecord } from '../nemo-format.ts'
import { fromChatRow } from './chat.ts'
import { columnsFormat } from './column-map.ts'
import { rowByRow, type FormatOptions, type RowFormat } from './format.ts'
import { fromHelpsteerRow } from './helpsteer.ts'
import { fromHelpsteer2Preference, fromHelpsteer3 } from './helpsteer-preference.ts'
import { fromRegressionRow } from './nemo-regression.ts'
import { oasstFormat } from './oasst.ts'
import { fromHhRow, fromPairRow } from './pairs.ts'
import { fromUltrafeedbackRow } from './ultrafeedback.ts'

const conversations = (parse: (value: unknown) => ConversationRecord | ConversationRecord[]) =>
  rowByRow('conversations', parse)
const preferences = (parse: (value: unknown) => PreferenceRecord) => rowByRow('preferences', parse)

const formats = {
  /** Our own conversation records. */
  records: () => conversations((value) => ConversationRecord.parse(value)),
  /** Our own records of replies in order of preference. */
  preferences: () => preferences((value) => PreferenceRecord.parse(value)),
  /** Token ids with the first token that counts. */
  tokens: () => rowByRow('tokens', (value) => TokenRecord.parse(checkTokens(value))),
  /** `{messages: […]}`, OpenAI's fine-tuning rows among them, or `{prompt, response}`. */
  chat: () => conversations(fromChatRow),
  /** Any table, with a column map. */
  columns: ({ map }) => columnsFormat(map),
  /** nvidia/HelpSteer and HelpSteer2 (and its `disagreements`). */
  helpsteer: () => conversations(fromHelpsteerRow),
  /** HelpSteer2's `preference`. */
  'helpsteer2-preference': () => preferences(fromHelpsteer2Preference),
  /** HelpSteer3's `preference`. */
  helpsteer3: () => preferences(fromHelpsteer3),
  /** oasst1 and oasst2: every path of a tree. */
  oasst: () => oasstFormat({ repliesOnly: false }),
  /** The same: every rated reply once. */
  'oasst-replies': () => oasstFormat({ repliesOnly: true }),
  ultrafeedback: () => conversations(fromUltrafeedbackRow),
  'hh-rlhf': () => preferences(fromHhRow),
  /** TRL's preference rows, RewardBench's, ultrafeedback_binarized. */
  pairs: () => preferences(fromPairRow),
  /** NeMo-Aligner's AC-SFT rows. */
  nemo: () =>
    conversations((value) => ConversationRecord.parse(fromNemoRecord(NemoRecord.parse(value)))),
  /** NeMo-Aligner's regression rows. */
  'nemo-regression': ({ attributes = attributeSets.steerlm }) =>
    conversations((value) => ConversationRecord.parse(fromRegressionRow(value, attributes))),
} as const satisfies Record<string, (options: FormatOptions) => RowFormat>

export type RecordFormat = keyof typeof formats
export const recordFormats = Object.keys(formats) as RecordFormat[]

/** Fails BAD_ARGUMENT on options that the format cannot work with. */
export const rowFormat = (name: RecordFormat, options: FormatOptions = {}): RowFormat =>
  formats[name](options)

/** The first wrong token only: a schema would report millions. */
function checkTokens(value: unknown): unknown {
  const { tokens } = (value ?? {}) as { tokens?: unknown }
  if (!Array.isArray(tokens)) return value
  const wrong = tokens.findIndex((token) => !Number.isSafeInteger(token) || token < 0)
  if (wrong >= 0) fail('BAD_RECORD', `tokens.${wrong}: expected a token id`)
  return value
}
