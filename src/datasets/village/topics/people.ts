/** Questions about villagers: who they are, where they are, what they are like. */
import { people } from '../world/people.ts'
import { topicsOf } from './topic.ts'

const fillers = [
  '{np} walked past here [this morning|yesterday|at dawn]',
  'everyone in the village knows {np}',
  'I met {np} in the year of the great flood',
  '{np} bought bread from the baker [yesterday|last night]',
  'people talk about {np} a lot',
  'the children wave when {np} goes by',
  '{np} [sat|sang|stood] at the harvest feast',
  '{his} door is [blue|green|red] and always squeaks',
  '{np} has a small dog that follows {him} around',
  'there are many stories about {np}',
]

export const peopleTopics = topicsOf(
  'person',
  { entities: people, fillers },
  {
    where: {
      weight: 1.5,
      ask: [
        'where is {np}?',
        'where can I find {np}?',
        'have you seen {np}?',
        'I need to [speak|talk] to {np}.',
        'I am looking for {np}.',
        'do you know where {np} is?',
      ],
      followUp: [
        'where can I find {him}?',
        'where is {he} now?',
        'and where does {he} live?',
        'how do I find {him}?',
      ],
      about: 'the whereabouts of {np}',
      facts: [
        '{np} is {where}',
        'you find {np} {where}',
        '{he} is {where}',
        'people meet {np} {where}',
        '{np} spends the day {where}',
      ],
      details: [
        'except {hours}',
        'unless {he} is asleep',
        'because {reason}',
        'as long as it is daylight',
      ],
      steps: [
        'knock [twice|softly] and wait.',
        'tell {him} that I sent you.',
        'go there {hours}.',
        'bring {him} a small gift.',
        'I can take you to {him}.',
        'let me call {him} for you.',
        'visit {him} {hours}.',
      ],
    },
    who: {
      ask: [
        'who is {np}?',
        'who exactly is {np}?',
        'what does {np} do?',
        'tell me about {np}.',
        'I heard of {np}. Who is that?',
      ],
      followUp: ['who is {he}?', 'and what does {he} do?', 'tell me more about {him}.'],
      about: '{np}',
      facts: ['{np} is {who}', '{he} is {who}', '{np} is {who} here', 'people know {np} as {who}'],
      details: ['because {reason}', 'since {reason}', 'except on feast days'],
      steps: [
        'meet {him} {where}.',
        'visit {him} {hours}.',
        'I can bring you to {him}.',
        'ask for {him} {where}.',
        'speak with {him} {hours}.',
      ],
    },
    trust: {
      ask: [
        'can I trust {np}?',
        'what is {np} like?',
        'is {np} honest?',
        'what do you think of {np}?',
        'should I be careful with {np}?',
      ],
      followUp: [
        'can I trust {him}?',
        'what is {he} like?',
        'what do you think of {him}?',
        'is {he} dangerous?',
      ],
      about: 'the nature of {np}',
      facts: [
        '{np} is {trait}',
        '{he} is {trait}',
        'people find {np} {trait}',
        '{np} seems {trait}',
      ],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'speak with {him} {hours}.',
        'meet {him} and see.',
        'bring {him} some bread.',
        'I can come with you.',
        'ask for {his} side of things.',
        'let me speak to {him} first.',
      ],
    },
  },
)
