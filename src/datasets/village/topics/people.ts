/** Questions about villagers: who they are, where they are, what they are like. */
import { people } from '../world/people.ts'
import { topicsOf } from './topic.ts'

const fillers = [
  '{np} walked past here [this morning|yesterday|at dawn][. There was no time for a chat|]',
  'everyone in the village knows {np}[. It is a small village|]',
  'I met {np} in the year of the great flood[. We carried sand together|]',
  '{np} bought bread from the baker [yesterday|last night][. It was the last loaf|]',
  'people talk about {np} a lot[. Not all of it is true|]',
  'the children wave when {np} goes by[. {he} always waves back|]',
  '{np} [sat|sang|stood] beside me at the harvest feast[. We spoke about the old days|]',
  '{his} door is [blue|green|red] and always squeaks[. You hear it down the whole street|]',
  '{np} has a small dog that follows {him} around[. It barks at carts|]',
  'there are many stories about {np}[. I believe about half of them|]',
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
        'unless there is a feast',
        'as long as it is daylight',
        'provided the weather is good',
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
      details: [
        'because nobody else could do it',
        'since the great flood',
        'as everyone knows, because {reason}',
        'since the old mayor died',
      ],
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
