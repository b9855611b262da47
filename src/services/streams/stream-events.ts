/** What a steerable stream tells its client, and how it reaches it. */
import type { SteeringReport, SteeringWarning } from '../../../schemas/common.ts'
import type { TextUsage } from '../runtime-types.ts'

/** What a reply was taken up again for. */
export type ContinuedBy = 'steer' | 'regenerate' | 'edit'

export type StreamEvent =
  | {
      type: 'started'
      requested: Record<string, number>
      warnings?: readonly SteeringWarning[]
    }
  | { type: 'delta'; text: string }
  /** The reply's first `at` characters stay; what follows is written for `requested`. */
  | { type: 'continued'; by: ContinuedBy; at: number; requested: Record<string, number> }
  | { type: 'paused' }
  | { type: 'resumed' }
  | {
      type: 'done'
      finishReason: 'stop' | 'length' | 'cancelled'
      /** null when it was cancelled. */
      usage: TextUsage | null
      requested: Record<string, number>
      achieved: Record<string, number> | null
      /** Of a reply that came to its end, where something steers it. */
      steering?: SteeringReport
    }
  /** The reply failed and is over. */
  | { type: 'failed'; error: unknown }

/** −1 is the start; then 0, 1, 2, … without gaps. */
export interface NumberedEvent {
  readonly seq: number
  readonly event: StreamEvent
}

/** The client's end. */
export interface StreamSink {
  send(item: NumberedEvent): void
  /** Undefined while the client keeps up; else resolves when it does again, or is gone. */
  ready(): Promise<void> | undefined
}
