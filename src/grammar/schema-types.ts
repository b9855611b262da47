/** What a JSON schema says of one place, after references and combinations were followed. */

export type JsonType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'

/** A schema and where it stands, as a JSON pointer. */
export interface Located {
  readonly schema: unknown
  readonly at: string
}

/** Schemas that must all hold of one place; none: anything. */
export type Conjunction = readonly Located[]

export interface StringFacts {
  readonly minLength: number
  readonly maxLength: number
  /** JavaScript's regular expressions; `whole`: from begin to end, as formats are. */
  readonly patterns: readonly { source: string; whole: boolean; at: string }[]
}

export interface NumberFacts {
  readonly min: number
  readonly max: number
  readonly withoutMin: boolean
  readonly withoutMax: boolean
}

export interface ArrayFacts {
  readonly prefix: readonly Conjunction[]
  readonly items: Conjunction
  /** Whether `items` was said at all. */
  readonly hasItems: boolean
  readonly min: number
  readonly max: number
  /** Where `uniqueItems` stands. */
  readonly uniqueAt: string | null
}

export interface ObjectFacts {
  readonly properties: ReadonlyMap<string, Conjunction>
  readonly required: ReadonlySet<string>
  /** null where nothing was said of further properties. */
  readonly additional: Conjunction | null
  readonly names: Conjunction
  readonly maxProperties: number
}

/** One branch: without anyOf and its kind. Keywords of a type hold only for values of that type. */
export interface Facts {
  readonly at: string
  readonly types: ReadonlySet<JsonType>
  /** enum or const: these values only. */
  readonly values: readonly unknown[] | null
  readonly string: StringFacts
  readonly number: NumberFacts
  readonly array: ArrayFacts
  readonly object: ObjectFacts
}
