/** The kinds of jobs: what each is for, and the fields of its form. Specs as in `schemas/jobs.ts`. */
import { checkField, nameField, numberField, selectField, textField } from '../shared/forms.js'

/** The built-in attribute sets (`src/labels/attribute-sets.ts`). */
const attributeSets = ['village', 'helpsteer', 'oasst', 'steerlm']

export const stages = {
  apm: 'Attribute model',
  sft: 'Steered fine-tuning',
  pretrain: 'Language modelling',
}
export const evaluations = { steering: 'Do the sliders work?', apm: 'How good is the attribute model?' } // prettier-ignore

/** Each gives `{lead, fields, advanced, fixed}`; `fixed` is part of the spec and not shown. */
export const jobForms = { train, label, evaluate, bootstrap, publish, import: importModel }
export const jobTitles = {
  pipeline: 'Whole loop',
  train: 'Train',
  label: 'Label',
  evaluate: 'Evaluate',
  bootstrap: 'Bootstrap',
  publish: 'Publish',
  import: 'Import',
}

const setOf = (name, label, options, query, hint) =>
  selectField(name, label, { options, value: query[name] ?? options[0]?.value, hint })

const overwrite = () => checkField('overwrite', 'Replace what has that name')

function train({ choices, query }) {
  const stage = stages[query.stage] ? query.stage : 'apm'
  const leads = {
    apm: 'Learns from rated replies to rate others.',
    sft: 'Teaches a language model to follow attribute values, from labelled conversations.',
    pretrain: 'Goes on training a language model on text, without attributes.',
  }
  const sets = stage === 'pretrain' ? choices.allSets : choices.rated
  const attributes = textField('attributes', 'Attribute set', {
    options: attributeSets,
    hint: 'Only where the base model has none',
  })
  const isSft = stage === 'sft'
  return {
    lead: leads[stage],
    fixed: { stage },
    fields: [
      setOf('data', stage === 'apm' ? 'Rated conversations' : 'Data set', sets, query),
      setOf('base', 'Start from', choices.languageModels, query),
      nameField('name', 'Name of the new model', { value: query.name ?? '' }),
      numberField('epochs', 'Passes over the data', { min: 0, placeholder: '1' }),
    ],
    advanced: [
      ...(stage === 'pretrain' ? [] : [attributes]),
      ...trainingFields(),
      numberField('lora', 'LoRA rank', { min: 0, step: 1, hint: '0: all weights', placeholder: '0' }), // prettier-ignore
      numberField('validation', 'Share held back', { min: 0, max: 0.5, placeholder: '0' }),
      ...(isSft ? [numberField('label_dropout', 'Share of hidden labels', { min: 0, max: 1, placeholder: '0.1' })] : []), // prettier-ignore
      ...(isSft ? [checkField('label_tokens', 'One token for every name:value')] : []),
      overwrite(),
    ],
  }
}

/** What every training takes; the placeholders are the defaults of the command line. */
export function trainingFields() {
  const whole = { min: 0, step: 1 }
  return [
    numberField('max_steps', 'Steps at most', { ...whole, hint: '0: by passes', placeholder: '0' }),
    numberField('batch_size', 'Rows per step', { min: 1, step: 1, placeholder: '16' }),
    numberField('max_tokens', 'Longest row in tokens', { ...whole, placeholder: 'the context' }),
    numberField('lr', 'Learning rate', { min: 0, placeholder: '0.0003' }),
    numberField('warmup_steps', 'Warm-up steps', { ...whole, placeholder: '0' }),
    numberField('eval_every', 'Steps between evaluations', { ...whole, placeholder: 'at the end' }),
    numberField('seed', 'Seed', { ...whole, placeholder: '1' }),
  ]
}

function label({ choices, query }) {
  return {
    lead: 'An attribute model rates every reply of a data set; the result is a new one.',
    fields: [
      setOf('data', 'Data set', choices.allSets, query),
      setOf('apm', 'Attribute model', choices.attributeModels, query),
      nameField('name', 'Name of the labelled set', { value: query.data ? `${query.data}-labelled` : '' }), // prettier-ignore
      overwrite(),
    ],
  }
}

function evaluate({ choices, query }) {
  if (query.type === 'apm') {
    return {
      lead: 'Compares what an attribute model says with the ratings of a data set.',
      fixed: { type: 'apm' },
      fields: [
        setOf('apm', 'Attribute model', choices.attributeModels, query),
        setOf('data', 'Rated conversations', choices.rated, query),
      ],
    }
  }
  const prompts = {
    options: choices.allSets,
    none: 'Village prompts that training never saw',
    value: query.prompts,
  }
  return {
    lead: 'Moves one slider at a time and measures what the replies do.',
    fixed: { type: 'steering' },
    fields: [
      setOf('model', 'Model', choices.languageModels, query),
      selectField('apm', 'Judge', { options: choices.attributeModels, none: 'None', value: query.apm ?? choices.attributeModels[0]?.value }), // prettier-ignore
      selectField('meters', 'Also measure by', { options: [{ value: 'village', label: 'Village meters' }], none: 'Nothing else' }), // prettier-ignore
      selectField('prompts', 'Prompts', prompts),
      numberField('limit', 'Prompts at most', { min: 1, step: 1, value: 20 }),
    ],
    advanced: [
      numberField('temperature', 'Temperature', { min: 0, placeholder: '0.8' }),
      numberField('seed', 'Seed', { min: 0, step: 1 }),
    ],
  }
}

function bootstrap({ choices, query }) {
  return {
    lead: 'The model writes replies, the attribute model rates them, the model learns from that.',
    fields: [
      setOf('data', 'Prompts from', choices.allSets, query),
      setOf('model', 'Model', choices.languageModels, query),
      setOf('apm', 'Attribute model', choices.attributeModels, query),
      nameField('name', 'Name of the new model'),
      numberField('samples', 'Replies per prompt', { min: 1, step: 1 }),
    ],
    advanced: [
      numberField('mix', 'Rows of the data set mixed in', { min: 0, step: 1 }),
      numberField('epochs', 'Passes over the data', { min: 0, placeholder: '1' }),
      ...trainingFields(),
      overwrite(),
    ],
  }
}

function publish({ choices, query }) {
  return {
    lead: 'Makes a trained model a version that never changes, and serves it.',
    fields: [
      setOf('from', 'Model', choices.workspace, query),
      nameField('model', 'Publish as', { value: query.model ?? query.from ?? '' }),
      checkField('prod', 'Serve it now (alias prod)', { value: true }),
      textField('note', 'Note', { placeholder: 'What is new' }),
    ],
    /** The alias stands in a list. */
    toSpec: ({ prod, ...spec }) => ({ ...spec, ...(prod && { aliases: ['prod'] }) }),
  }
}

function importModel() {
  return {
    lead: 'Takes a Hugging Face checkpoint from the import folder of the server.',
    fields: [
      textField('path', 'Folder', { required: true, hint: 'Below the import folder' }),
      nameField('name', 'Name of the model'),
      textField('attributes', 'Attribute set', { options: attributeSets }),
      selectField('quantize', 'Weights', { options: [{ value: 'f32' }, { value: 'f16' }], none: 'As they are' }), // prettier-ignore
      overwrite(),
    ],
  }
}
