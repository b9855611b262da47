/** Small talk: moods, work, the village, names, the weather. */
import { dayFillers } from '../phrases/filler-day.ts'
import { topicsOf } from './topic.ts'

/** Small talk is about no thing of the village. */
const nothing = [{ id: 'talk', slots: {} }]

export const selfTopics = topicsOf(
  'self',
  { entities: nothing, fillers: dayFillers },
  {
    mood: {
      weight: 1.5,
      ask: [
        'how are you?',
        'how are you today?',
        'how is your day?',
        'is everything well with you?',
        'you look tired. How are you?',
        'how goes it?',
      ],
      followUp: ['and how are you?', 'but how are you today?'],
      about: 'my mood',
      facts: [
        'I am well today',
        'I am [a bit tired|fine|in good health]',
        'the day is going well',
        'things are [quiet|going well] for me',
      ],
      details: [
        'because the work went well',
        'since I slept well',
        'except for my knee',
        'because the harvest was good',
      ],
      steps: [
        'come and sit with me.',
        'tell me about your journey.',
        'come back at dusk and we talk.',
        'let me pour you some cider.',
        'meet me at the inn tonight.',
        'I can show you around today.',
      ],
    },
    work: {
      weight: 1.5,
      ask: [
        'what do you do here?',
        'what is your work?',
        'what do you do all day?',
        'what is your trade?',
        'do you like your work?',
      ],
      followUp: ['and what do you do here?', 'do you like it?', 'is it hard work?'],
      about: 'my work',
      facts: [
        'I {work}',
        'I {work} here',
        'I {work} from dawn to dusk',
        'my work is simple, I {work}',
      ],
      details: [
        'because my father did it too',
        'except on feast days',
        'since I was a child',
        'because someone has to',
      ],
      steps: [
        'come by and watch me work.',
        'I can teach you a little.',
        'let me show you my {tool}.',
        'visit me tomorrow at work.',
        'try it for a day.',
        'bring your own {tool} and join me.',
      ],
    },
    home: {
      ask: [
        'do you like it here?',
        'what is life like in this village?',
        'have you always lived here?',
        'is this a good village?',
        'what do you think of this village?',
      ],
      followUp: ['do you like it here?', 'have you always lived here?'],
      about: 'my life here',
      facts: [
        'life is [good|quiet|simple] here',
        'I have lived here all my life',
        'it is a good village',
        'I like it here',
      ],
      details: [
        'because people help each other',
        'except in winter',
        'since the wall was built',
        'as long as the harvest is good',
      ],
      steps: [
        'visit the lake at sunset.',
        'come to the next feast.',
        'let me show you the square.',
        'rest at the inn for a night.',
        'I can introduce you to people.',
        'try the pie at the bakery.',
      ],
    },
  },
)

export const nameTopics = topicsOf(
  'name',
  { entities: nothing, fillers: dayFillers },
  {
    name: {
      ask: [
        'what is your name?',
        'who are you?',
        'what should I call you?',
        'may I ask your name?',
        'who am I talking to?',
      ],
      followUp: ['and what is your name?', 'who are you anyway?'],
      about: 'my name',
      facts: [
        'I am {speaker}',
        'my name is {speaker}',
        'people call me {speaker}',
        'I am {speaker}, the {role}',
        '{speaker} is my name',
      ],
      details: [
        'because my mother liked it',
        'since the day I was born',
        'except on feast days',
        'because it was the name of my father',
      ],
      steps: [
        'tell me your name as well.',
        'ask for {speaker} if you need me.',
        'come and find me any day.',
        'let me hear your name too.',
        'I can write it down for you.',
      ],
    },
  },
)

export const weatherTopics = topicsOf(
  'weather',
  { entities: nothing, fillers: dayFillers },
  {
    now: {
      weight: 1.5,
      ask: [
        'how is the weather?',
        'what do you think of the weather?',
        'is it a good day to travel?',
        'will the weather change?',
        'what is it like outside?',
        'can I travel in this weather?',
      ],
      followUp: ['and the weather?', 'how is the weather there?'],
      about: 'the weather',
      facts: ['{now}', 'right now {now}', 'as you see, {now}', '{now} and it stays that way'],
      details: [
        'because the wind turned',
        'except in the valley',
        'because the season changes',
        'unless you go south',
      ],
      steps: [
        'take {wear} with you.',
        'come inside for a while.',
        'wait until noon.',
        'I can lend you {wear}.',
        'start early tomorrow.',
        'buy {wear} at the market.',
      ],
    },
  },
)
