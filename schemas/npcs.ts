/**
 * Characters: their definition, what a client sends to them and gets from them, and the document they are saved in
 * (`docs/characters.md`). What a rule may say is checked by `src/services/npcs/character.ts`.
 */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import { FinishReason, SteeringOptions, Usage, samplingFields } from './common.ts'

const name = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9_]*$/, { error: 'expected lower-case letters, digits and _' })

/** Such as `insulted` or `player.gave_gift`. */
export const NpcEventName = z
  .string()
  .max(128)
  .regex(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/, { error: 'expected a name like player.gave_gift' })

/** 1 to 64 of a–z, 0–9, `-` and `_`; two words are taken by routes. */
export const NpcId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'expected a–z, 0–9, - and _, at most 64' })
  .refine((id) => id !== 'templates' && id !== 'load', { error: 'the name is taken by a route' })

/** A text that every database can hold. */
const text = (max: number, min = 0) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'a NUL character or half a character (a lone surrogate) is not allowed',
    })
const seconds = z.number().positive().max(315_360_000)
const flatData = z.record(text(64), z.union([z.number(), text(1000), z.boolean()]))

/** A quantity that events move, such as mood or relation. */
export const NpcVariable = z.strictObject({
  min: z.number(),
  max: z.number(),
  /** 0 unless given. */
  start: z.number().nullish(),
  /** What it falls back to; `start` unless given. Only with `half_life_s` or `decay_s`. */
  baseline: z.number().nullish(),
  /** The distance from the baseline halves in this time. */
  half_life_s: seconds.nullish(),
  /** The distance from the baseline shrinks evenly and is gone this long after the last change. */
  decay_s: seconds.nullish(),
  description: text(500).nullish(),
})
export type NpcVariable = z.infer<typeof NpcVariable>

/** How one attribute of the replies is made: `base`, plus weight × value for each variable, plus the effects of events. */
export const NpcAttribute = z.strictObject({
  /** The model's default unless given. */
  base: z.number().nullish(),
  /** Narrower than the model's range, if at all. */
  min: z.number().nullish(),
  max: z.number().nullish(),
  from: z.record(name, z.number()).nullish(),
})
export type NpcAttribute = z.infer<typeof NpcAttribute>

export const NpcActionRule = z.strictObject({
  type: name,
  /** Tells rules of the same type apart; the type unless given. */
  id: name.nullish(),
  /** Returned with the action as they are. */
  args: flatData.nullish(),
  /** A condition such as `relation <= -3 and toxicity > 2`. */
  when: text(500).nullish(),
  /** Only after one of these events happened since the last line. */
  on: z.array(NpcEventName).min(1).max(20).nullish(),
  /** Never a second time. */
  once: z.boolean().nullish(),
  /** Not again before so many seconds have passed. */
  cooldown_s: seconds.nullish(),
})
export type NpcActionRule = z.infer<typeof NpcActionRule>

export const NpcDefinition = z.strictObject({
  name: text(100, 1),
  /** A served model; the first language model unless given. */
  model: text(200).nullish(),
  /** Who the character is: the beginning of the system message. Never forgotten. */
  persona: text(20_000),
  /** How the character talks: the rest of the system message. */
  voice: text(5000).nullish(),
  /** Exchanges that stand before the conversation and are never forgotten. */
  examples: z
    .array(
      z.strictObject({
        player: text(2000),
        line: text(4000),
        /** What the line shows; the baselines unless given. */
        attributes: AttributeValues.nullish(),
      }),
    )
    .max(20)
    .nullish(),
  /** By attribute: the baseline, or how it is made. Others have the model's default. */
  attributes: z.record(name, z.union([z.number(), NpcAttribute])).nullish(),
  variables: z.record(name, NpcVariable).nullish(),
  /** Such as `insulted: toxicity +1, helpfulness -2, decay 60 s`. */
  rules: z.array(text(500)).max(200).nullish(),
  /** In full, or as text: `walk_away when relation <= -3`. */
  actions: z
    .array(z.union([text(500), NpcActionRule]))
    .max(50)
    .nullish(),
  /** Events that the player's own words raise. */
  detect: z
    .array(
      z.strictObject({
        event: NpcEventName,
        /** Words or phrases; case does not matter, whole words only. */
        any: z.array(text(100, 1)).min(1).max(300),
      }),
    )
    .max(50)
    .nullish(),
  memory: z
    .strictObject({
      /** Exchanges that a reply can see at most; as many as fit unless given. */
      exchanges: z.int().min(0).max(200).nullish(),
      /** Tokens kept free for the line, which is cut there; a quarter of the context, at most 256, unless given. */
      reply_tokens: z.int().min(1).max(4096).nullish(),
    })
    .nullish(),
  /** How tokens are drawn, where a request does not say. */
  sampling: z
    .strictObject({
      temperature: samplingFields.temperature,
      top_p: samplingFields.top_p,
      top_k: samplingFields.top_k,
      /** Makes every line repeatable: the line of exchange n is drawn with a seed made of this and n. */
      seed: samplingFields.seed,
    })
    .nullish(),
  /** `server`: time passes by the server's clock. `game`: only by `time` in requests. `server` unless given. */
  clock: z.enum(['server', 'game']).nullish(),
})
export type NpcDefinition = z.infer<typeof NpcDefinition>

/** Seconds of the game, for characters with `clock: game`; never goes back. */
const time = z.number().min(0).max(1e12).nullish()

export const NpcCreateRequest = z
  .strictObject({
    /** Made up unless given. */
    id: NpcId.nullish(),
    /** The id of a template. */
    template: text(64).nullish(),
    definition: NpcDefinition.nullish(),
  })
  .refine((body) => (body.template == null) !== (body.definition == null), {
    error: 'expected either a template or a definition',
  })
export type NpcCreateRequest = z.infer<typeof NpcCreateRequest>

export const NpcUpdateRequest = z.strictObject({
  definition: NpcDefinition,
  /** Refused when the character was changed since this version. */
  version: z.int().nullish(),
})
export type NpcUpdateRequest = z.infer<typeof NpcUpdateRequest>

export const NpcListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).nullish(),
  /** The id after which the list goes on. */
  after: text(64).nullish(),
})

export const NpcExchangesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).nullish(),
  /** Only exchanges before this number. */
  before: z.coerce.number().int().min(0).nullish(),
})

export const NpcEventRequest = z.strictObject({
  type: NpcEventName,
  /** Numbers that rules multiply by: `hit: relation -0.1 * damage`. */
  data: flatData.nullish(),
  time,
})
export type NpcEventRequest = z.infer<typeof NpcEventRequest>

const sayFields = {
  message: text(20_000, 1),
  /** Repeats the draw; else the definition's seed counts, else chance. */
  seed: samplingFields.seed,
  temperature: samplingFields.temperature,
  /** Cuts the line sooner than the definition does. */
  max_tokens: z.int().min(1).nullish(),
  /** Report what the attribute model says of the line; true unless given. */
  measure: z.boolean().nullish(),
  /** Guidance, values to avoid, and choosing among several lines, as for any reply; the rest is the character's own. */
  steering: SteeringOptions.omit({ measure: true, preset: true }).nullish(),
  time,
}

export const NpcSayRequest = z.strictObject({ ...sayFields, stream: z.boolean().nullish() })
export type NpcSayRequest = z.infer<typeof NpcSayRequest>

const heardFields = {
  /** What the player heard: the text, or its length in UTF-16 units. Everything that was sent unless given. */
  heard: z.union([z.string(), z.int().min(0)]).nullish(),
}

export const NpcInterruptRequest = z.strictObject({
  ...heardFields,
  /** The exchange meant; the one under way, else the last, unless given. */
  exchange: z.int().min(0).nullish(),
})
export type NpcInterruptRequest = z.infer<typeof NpcInterruptRequest>

export const NpcAction = z.strictObject({
  type: z.string(),
  id: z.string(),
  args: flatData,
})
export type NpcAction = z.infer<typeof NpcAction>

/** The character at this moment. */
export const NpcState = z.strictObject({
  object: z.literal('npc.state'),
  id: z.string(),
  /** Counts every change. */
  version: z.int(),
  /** The character's time in seconds. */
  time: z.number(),
  variables: z.record(
    z.string(),
    z.strictObject({ value: z.number(), min: z.number(), max: z.number(), baseline: z.number() }),
  ),
  /** What the next line would be written for. */
  attributes: AttributeValues,
  /** What events left behind and is fading. */
  effects: z.array(
    z.strictObject({
      event: z.string(),
      target: z.string(),
      /** At first. */
      amount: z.number(),
      /** Left of it. */
      now: z.number(),
      age_s: z.number(),
    }),
  ),
  /** What the next line would come with. */
  actions: z.array(NpcAction),
  /** Exchanges so far; the next one has this number. */
  exchanges: z.int(),
  /** The first exchange that the next line still sees. */
  remembered_from: z.int(),
})
export type NpcState = z.infer<typeof NpcState>

export const Npc = z.strictObject({
  id: z.string(),
  object: z.literal('npc'),
  name: z.string(),
  version: z.int(),
  created_at: z.int(),
  updated_at: z.int(),
  definition: NpcDefinition,
})
export type Npc = z.infer<typeof Npc>

export const NpcList = z.strictObject({
  object: z.literal('list'),
  data: z.array(Npc),
  has_more: z.boolean(),
})
export type NpcList = z.infer<typeof NpcList>

export const NpcDeleted = z.strictObject({
  id: z.string(),
  object: z.literal('npc'),
  deleted: z.literal(true),
})
export type NpcDeleted = z.infer<typeof NpcDeleted>

export const NpcTemplateList = z.strictObject({
  object: z.literal('list'),
  data: z.array(z.strictObject({ id: z.string(), definition: NpcDefinition })),
})
export type NpcTemplateList = z.infer<typeof NpcTemplateList>

/** What a player said and what came back. */
export const NpcExchange = z.strictObject({
  /** 0, 1, 2, … in the life of the character. */
  exchange: z.int().min(0),
  /** The character's time. */
  time: z.number().min(0),
  message: text(20_000),
  /** As far as it was heard. */
  line: text(100_000),
  /** What the line was written for. */
  attributes: AttributeValues,
  /** Events that the message raised. */
  events: z.array(z.string()),
  actions: z.array(NpcAction),
  interrupted: z.boolean(),
})
export type NpcExchange = z.infer<typeof NpcExchange>

export const NpcExchangeList = z.strictObject({
  object: z.literal('list'),
  data: z.array(NpcExchange),
  has_more: z.boolean(),
})
export type NpcExchangeList = z.infer<typeof NpcExchangeList>

const lineFields = {
  exchange: z.int(),
  line: z.string(),
  finish_reason: z.enum([...FinishReason.options, 'interrupted']),
  /** What the line was written for. */
  attributes: AttributeValues,
  /** What the attribute model says of it, or null. */
  achieved: AttributeValues.nullable(),
  events: z.array(z.string()),
  actions: z.array(NpcAction),
  state: NpcState,
  /** null when the line was interrupted. */
  usage: Usage.nullable(),
}
const startFields = {
  exchange: z.int(),
  attributes: AttributeValues,
  events: z.array(z.string()),
  actions: z.array(NpcAction),
}

export const NpcLine = z.strictObject({
  object: z.literal('npc.line'),
  npc: z.string(),
  ...lineFields,
})
export type NpcLine = z.infer<typeof NpcLine>

/** The frames of a streamed line: one start, deltas, one whole line. */
export const NpcLineChunk = z.discriminatedUnion('object', [
  z.strictObject({ object: z.literal('npc.line.start'), npc: z.string(), ...startFields }),
  z.strictObject({ object: z.literal('npc.line.delta'), npc: z.string(), text: z.string() }),
  NpcLine,
])
export type NpcLineChunk = z.infer<typeof NpcLineChunk>

const decay = z.strictObject({ kind: z.enum(['linear', 'half-life']), seconds }).nullable()

/** What is kept of a character's inner life. Times are the character's own. */
export const NpcInnerState = z.strictObject({
  time: z.number().min(0),
  variables: z.record(z.string(), z.strictObject({ value: z.number(), at: z.number().min(0) })),
  effects: z
    .array(
      z.strictObject({
        event: z.string(),
        target: z.string(),
        amount: z.number(),
        at: z.number().min(0),
        decay: decay.unwrap(),
      }),
    )
    .max(256),
  /** Events since the last line. */
  recent: z.array(NpcEventName).max(200),
  /** By action id: when it was last given. */
  actions: z.record(z.string(), z.number().min(0)),
  exchanges: z.int().min(0),
  remembered_from: z.int().min(0),
})
export type NpcInnerState = z.infer<typeof NpcInnerState>

/** One character as one document: who it is, how it feels, what was said. */
export const NpcSave = z.strictObject({
  object: z.literal('npc.save'),
  schema: z.literal(1, { error: 'expected 1, the only schema of saved characters so far' }),
  /** Seconds since 1970. */
  saved_at: z.int(),
  id: z.string(),
  definition: NpcDefinition,
  state: NpcInnerState,
  exchanges: z.array(NpcExchange).max(200),
})
export type NpcSave = z.infer<typeof NpcSave>

export const NpcLoadRequest = z.strictObject({
  save: NpcSave,
  /** A new one unless given. */
  id: NpcId.nullish(),
  /** Take the place of the character with this id. */
  replace: z.boolean().nullish(),
})
export type NpcLoadRequest = z.infer<typeof NpcLoadRequest>

const socketId = z.string().min(1).max(128)

/** To the WebSocket. `id` is the client's name for the line or the request; `npc` the character. */
export const npcClientMessages = [
  z.strictObject({ type: z.literal('npc_say'), id: socketId, npc: z.string(), ...sayFields }),
  z.strictObject({
    type: z.literal('npc_event'),
    id: socketId,
    npc: z.string(),
    event: NpcEventRequest,
  }),
  /** `id` of the line to stop or to shorten. */
  z.strictObject({ type: z.literal('npc_interrupt'), id: socketId, ...heardFields }),
] as const
export type NpcClientMessage = z.infer<(typeof npcClientMessages)[number]>

export const npcServerMessages = [
  z.strictObject({
    type: z.literal('npc_started'),
    id: z.string(),
    npc: z.string(),
    ...startFields,
  }),
  z.strictObject({
    type: z.literal('npc_delta'),
    id: z.string(),
    /** 0, 1, 2, … within the line. */
    seq: z.int(),
    text: z.string(),
  }),
  /** The end of a line; once more with the shortened line when it is interrupted after its end. */
  z.strictObject({ type: z.literal('npc_done'), id: z.string(), npc: z.string(), ...lineFields }),
  z.strictObject({ type: z.literal('npc_state'), id: z.string(), state: NpcState }),
] as const
export type NpcServerMessage = z.infer<(typeof npcServerMessages)[number]>
