/** What a row format is: the kind of its records, and how rows become records. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type {
  ConversationRecord,
  DatasetKind,
  PreferenceRecord,
  TokenRecord,
} from '../../../schemas/records.ts'
import type { ValidRow } from '../files/file-row.ts'

export type StoredRecord = ConversationRecord | PreferenceRecord | TokenRecord

/** Column by what it is. */
export type ColumnMap = Readonly<Record<string, string>>

export interface FormatOptions {
  /** Which column is what; the format `columns` needs it. */
  map?: ColumnMap
  /** Names the values of NeMo's regression rows; its nine unless given. */
  attributes?: AttributeSet
}

/** What a row came to. */
export interface Assembled {
  records: StoredRecord[]
  /** Earlier rows that turn out not to fit. */
  misfits?: { row: ValidRow; problem: string }[]
}

/** Rows of one file going in, records coming out. */
export interface RowAssembler {
  /** Throws a SteerError or a ZodError on a row that is not valid. */
  add(row: ValidRow): Assembled
  /** What the last rows come to. */
  end?(): Assembled
}

export interface RowFormat {
  kind: DatasetKind
  createAssembler(): RowAssembler
}

/** A format whose rows each stand for themselves. */
export function rowByRow(
  kind: DatasetKind,
  parse: (value: unknown) => StoredRecord | StoredRecord[],
): RowFormat {
  return {
    kind,
    createAssembler: () => ({ add: ({ value }) => ({ records: [parse(value)].flat() }) }),
  }
}
