import type { PhonesAnswer, PhonesStopped } from '../../shared/contract/agent-api.ts'
import { phoneStartMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CaptureOptions } from '../protocol/phone-text.ts'
import type { Phone, PhoneAnswer, PhoneGroup } from './phone.ts'

type Failure = { name: string; reason: string; reasonZh: string }

const noAnswer = { reason: 'no answer', reasonZh: '没有回应' }
const connectionLost = { reason: 'its connection was lost', reasonZh: '连接已断开' }

/** Starts and stops all phones at once, and says what each of them answered. One command at a time. */
export class PhoneBroadcast {
  readonly #clock: Clock
  readonly #phones: () => Phone[]
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: { clock: Clock; phones: () => Phone[] }) {
    this.#clock = options.clock
    this.#phones = options.phones
  }

  /** Every connected phone that does not film yet; those that start are one recording. */
  start(options: CaptureOptions): Promise<PhonesAnswer> {
    return this.#inTurn(async () => {
      const phones = this.#phones()
      const group: PhoneGroup = { recording: undefined }
      const answers = await Promise.all(phones.map((phone) => this.#startOne(phone, options, group)))
      const { done, failed } = sorted(phones, answers)
      const recording = group.recording ?? phones.find((phone) => phone.recording !== undefined)?.recording
      const names = phones.map(({ name }) => name)
      return { sent: names, started: done, failed, ...(recording === undefined ? {} : { recording }) }
    })
  }

  /** Every phone that films or was told to. */
  stop(): Promise<PhonesStopped> {
    return this.#inTurn(async () => {
      const phones = this.#phones().filter(({ session }) => session.state !== 'idle')
      const answers = phones.map((phone) =>
        this.#tell(phone, 'stopped', () => phone.apply(phone.session.stop())),
      )
      const { done, failed } = sorted(phones, await Promise.all(answers))
      return { sent: phones.map(({ name }) => name), stopped: done, failed }
    })
  }

  async #startOne(phone: Phone, options: CaptureOptions, group: PhoneGroup): Promise<Failure | undefined> {
    if (phone.session.state === 'capturing') return undefined
    phone.group = group
    const failure = await this.#tell(phone, 'started', () => phone.apply(phone.session.start(options)))
    if (failure) phone.session.giveUp() // It keeps its place in the group: late is better than alone.
    return failure
  }

  async #tell(phone: Phone, wanted: PhoneAnswer, send: () => void): Promise<Failure | undefined> {
    const answer = Promise.withResolvers<PhoneAnswer>()
    const late = new AbortController()
    using _listening = phone.onAnswer((given) => {
      if (given === wanted || given === 'failed' || given === 'lost') answer.resolve(given)
    })
    send()
    const timeout = this.#clock.sleep(phoneStartMs, late.signal).then(
      () => undefined,
      () => undefined, // The phone has answered.
    )
    const given = await Promise.race([answer.promise, timeout])
    late.abort()
    if (given === wanted) return undefined
    return { name: phone.name, ...reasonOf(phone, given) }
  }

  #inTurn<T>(command: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(command)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

function reasonOf(phone: Phone, answer: PhoneAnswer | undefined): { reason: string; reasonZh: string } {
  if (answer === 'lost') return connectionLost
  const reason = phone.session.message
  return answer === 'failed' && reason ? { reason, reasonZh: reason } : noAnswer
}

function sorted(phones: readonly Phone[], failures: readonly (Failure | undefined)[]) {
  const done = phones.filter((_, i) => failures[i] === undefined).map(({ name }) => name)
  return { done, failed: failures.filter((failure) => failure !== undefined) }
}
