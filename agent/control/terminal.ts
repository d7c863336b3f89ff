import { createInterface } from 'node:readline'
import type { PhonesAnswer } from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import { parseStartArguments } from '../protocol/phone-start.ts'
import type { Commands } from './commands-port.ts'

/** Of the agent itself, or of a client that asks it over HTTP. */
export type TerminalCommands = { phones: Pick<Commands['phones'], 'list' | 'start' | 'stop'> }
export type Terminal = {
  input: NodeJS.ReadableStream
  output: { write(text: string): unknown }
  chinese: boolean
}

const words = {
  help: {
    en: 'Commands: start [width:height] [Mbit/s] [pictures a second], stop, status.',
    zh: '命令：start [宽:高] [码率 Mbit/s] [帧率]，stop，status。',
  },
  started: { en: 'started', zh: '已开始' },
  stopped: { en: 'stopped', zh: '已停止' },
  noPhones: { en: 'No phone is connected.', zh: '没有连接的手机。' },
  noneFilms: { en: 'No phone is filming.', zh: '没有手机在拍摄。' },
}

/** `start`, `stop` and `status` for the one who sits before the agent. One line, one command; Ctrl-C is not ours. */
export function openTerminal(commands: TerminalCommands, terminal: Terminal): Disposable {
  const lines = createInterface({ input: terminal.input, terminal: false })
  const say = (text: string) => void terminal.output.write(`${text}\n`)
  lines.on('line', (line) => {
    answerLine(line, commands, terminal.chinese).then(
      (answer) => answer && say(answer),
      (error) => say(sentenceOf(error, terminal.chinese)),
    )
  })
  return { [Symbol.dispose]: () => lines.close() }
}

/** What one line of input is answered with; empty for an empty line. */
export async function answerLine(
  line: string,
  commands: TerminalCommands,
  chinese: boolean,
): Promise<string> {
  const say = ({ en, zh }: { en: string; zh: string }) => (chinese ? zh : en)
  const [command = '', ...rest] = line.trim().split(/\s+/)
  if (command === '') return ''
  if (command === 'start') {
    const { aspectRatio, ...options } = parseStartArguments(rest.join(' '))
    const answer = await commands.phones.start({ ...aspectRatio, ...options })
    if (answer.sent.length === 0) return say(words.noPhones)
    return sentence(answer.started.length, say(words.started), answer, chinese)
  }
  if (command === 'stop' && rest.length === 0) {
    const answer = await commands.phones.stop()
    if (answer.sent.length === 0) return say(words.noneFilms)
    return sentence(answer.stopped.length, say(words.stopped), answer, chinese)
  }
  if (command === 'status' && rest.length === 0) return await status(commands, say(words.noPhones))
  return say(words.help)
}

/** `3 of 4 started, Pixel-6a: no answer`. */
function sentence(
  done: number,
  what: string,
  { sent, failed }: Pick<PhonesAnswer, 'sent' | 'failed'>,
  chinese: boolean,
): string {
  const head = chinese ? `${sent.length} 台中 ${done} 台${what}` : `${done} of ${sent.length} ${what}`
  const reasons = failed.map(
    ({ name, reason, reasonZh }) => `${name}: ${chinese ? (reasonZh ?? reason) : reason}`,
  )
  return [head, ...reasons].join(', ')
}

async function status(commands: TerminalCommands, noPhones: string): Promise<string> {
  const phones = await commands.phones.list()
  const lines = phones.map(({ id, state, address, fps, recording }) =>
    [id, state, address, fps === undefined ? '' : `${fps.toFixed(1)} fps`, recording ?? '']
      .join('  ')
      .trimEnd(),
  )
  return lines.length > 0 ? lines.join('\n') : noPhones
}

function sentenceOf(cause: unknown, chinese: boolean): string {
  const error = AppError.from(cause)
  return chinese ? (error.messageZh ?? error.message) : error.message
}
