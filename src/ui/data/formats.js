/** The row formats that an upload may have, as a person would choose them. */
export const formats = [
  { value: 'records', label: 'Conversations (steerlm records)', group: 'Plain' },
  { value: 'preferences', label: 'Preferences (steerlm records)', group: 'Plain' },
  { value: 'chat', label: 'Chats: {messages} or {prompt, response}', group: 'Plain' },
  { value: 'pairs', label: 'Pairs: {prompt, chosen, rejected}', group: 'Plain' },
  { value: 'columns', label: 'Any table, by a map of its columns', group: 'Plain' },
  { value: 'tokens', label: 'Token ids', group: 'Plain' },
  { value: 'helpsteer', label: 'HelpSteer, HelpSteer2', group: 'Published sets' },
  { value: 'helpsteer2-preference', label: 'HelpSteer2 preference', group: 'Published sets' },
  { value: 'helpsteer3', label: 'HelpSteer3 preference', group: 'Published sets' },
  { value: 'oasst', label: 'Open Assistant: whole conversations', group: 'Published sets' },
  { value: 'oasst-replies', label: 'Open Assistant: each rated reply', group: 'Published sets' },
  { value: 'ultrafeedback', label: 'UltraFeedback', group: 'Published sets' },
  { value: 'hh-rlhf', label: 'hh-rlhf', group: 'Published sets' },
  { value: 'nemo', label: 'NeMo-Aligner', group: 'Published sets' },
  { value: 'nemo-regression', label: 'NeMo-Aligner regression', group: 'Published sets' },
]

/** What a file name suggests as the name of the set. */
export function nameFromFile(fileName) {
  return fileName
    .replace(/\.gz$/i, '')
    .replace(/\.[a-z0-9]{1,8}$/i, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100)
}
