/** Tokens in, tokens or scores out; no text. */
export { createEngine, type Engine, type EngineOptions } from './engine.ts'
export { describeKvBudget, type KvBudget } from './kv-budget.ts'
export type {
  EngineEvent,
  EngineRequest,
  FinishReason,
  PromptProgress,
  TokenLogprob,
  TokenMask,
} from './engine-types.ts'
export { lazyEmbedder, type LazyEmbedder } from './embedder.ts'
export { createScorer, type Scorer, type ScorerOptions } from './scorer.ts'
