/**
 * A topic: one thing a player may ask, how it is asked, and the parts of an answer. An answer is a
 * fact (level 2 of helpfulness), a detail joined to it (level 3) and a next step (level 4).
 */
import type { Entity } from '../world/entity.ts'

export interface Topic {
  readonly id: string
  /** Topics on the same subject may follow each other about the same entity. */
  readonly subject: string
  readonly entities: readonly Entity[]
  /** How the player asks it out of the blue; empty when it can only follow. */
  readonly ask: readonly string[]
  /** How the player asks it when the entity was just spoken about. */
  readonly followUp: readonly string[]
  /** What is asked, as a noun phrase, for replies that decline or evade. */
  readonly about: string
  /** Replies that decline or evade, where the common ones do not fit. */
  readonly refusals?: readonly string[]
  readonly hints?: readonly string[]
  readonly facts: readonly string[]
  /** Clauses that start with a word of `detailPatterns`; joined to the fact. */
  readonly details: readonly string[]
  /** Sentences that start with a word of `stepPatterns`. */
  readonly steps: readonly string[]
  /** Neutral sentences that fit this topic and answer nothing. */
  readonly fillers: readonly string[]
  /** Relative frequency of the first turn; 1 unless told. */
  readonly weight?: number
}

/** A topic with its subject's entities and filler filled in. */
export function topicsOf(
  subject: string,
  shared: { entities: readonly Entity[]; fillers: readonly string[] },
  rows: Record<
    string,
    Omit<Topic, 'id' | 'subject' | 'entities' | 'fillers'> & { fillers?: readonly string[] }
  >,
): Topic[] {
  return Object.entries(rows).map(([aspect, row]) => ({
    ...row,
    id: `${subject}.${aspect}`,
    subject,
    entities: shared.entities,
    fillers: [...shared.fillers, ...(row.fillers ?? [])],
  }))
}
