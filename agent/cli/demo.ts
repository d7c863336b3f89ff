import { setTimeout as sleep } from 'node:timers/promises'
import type { PhonesAnswer, TokenInfo } from '../../shared/contract/agent-api.ts'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { AppError } from '../../shared/error.ts'
import { dataDirectory } from '../config.ts'
import { simPhone } from '../sim/phone.ts'
import { ownServer, type Server } from './server.ts'
import { inLanguage } from './words.ts'

const takeMs = 10_000 // Long enough to see the clock move, short enough to be finished within 30 s of the start.
const pollMs = 250

/** A simulated phone that stays beside the simulated IP camera, and one first recording, so that a newcomer sees the whole way of a picture. */
export async function runDemo(options: {
  data: string
  port: number
  lan: boolean
  signal: AbortSignal
}): Promise<void> {
  const { port, signal } = options
  const server = await ownServer({ data: options.data, port: String(port) })
  const token = await publisherToken(server)
  const phone = simPhone({
    url: `ws://127.0.0.1:${port}/android-cam`,
    token,
    model: 'demo-phone',
    clock: 'boot',
    signal,
  })
  say({
    en: 'A simulated phone is being shown live and recorded for 10 seconds …',
    zh: '模拟手机正在直播，并录制 10 秒 …',
  })
  say({
    en: 'A simulated IP camera is there too, as demo-camera: it is fetched from while somebody watches or records it.',
    zh: '另有模拟网络摄像机 demo-camera：有人观看或录制时才会取流。',
  })
  await firstTake(server, options.data, signal)
  await startPhone(server, signal)
  say({
    en: 'The phone goes on filming: stop it on the page when you like.',
    zh: '手机继续拍摄：可随时在网页上停止。',
  })
  say(realPhoneWords(options, dataWords(options.data)))
  await phone
}

/** One token for the simulator, made anew at each start: its name is free again once the old one is revoked. */
async function publisherToken(server: Server): Promise<string> {
  const name = 'demo-phone'
  const { tokens } = await server.call<{ tokens: TokenInfo[] }>('GET', '/agent/v1/tokens')
  for (const old of tokens.filter((t) => t.name === name))
    await server.call('DELETE', `/agent/v1/tokens/${old.id}`)
  const made = await server.call<{ token: string }>('POST', '/agent/v1/tokens', {
    name,
    role: 'publisher',
    stream: name,
  })
  return made.token
}

async function firstTake(server: Server, data: string, signal: AbortSignal): Promise<void> {
  const started = await startPhone(server, signal)
  await sleep(takeMs, undefined, { signal })
  await server.call('POST', '/agent/v1/phones/stop')
  const id = started.recording
  if (id === undefined) return
  for (;;) {
    const answer = await server
      .call<RecordingDetail>('GET', `/v1/recordings/${id}`)
      .catch((error: unknown) => AppError.from(error))
    if (answer instanceof AppError) {
      if (answer.kind === 'FailedPrecondition') return say(elsewhereWords(id, answer))
    } else if (answer.streams[0]?.export.files[0]) {
      return say(finishedWords(id, answer.streams[0].units, dataWords(data)))
    }
    await sleep(pollMs, undefined, { signal })
  }
}

/** What finds this data directory again; nothing where it is the usual one. */
export function dataWords(data: string): string {
  if (data === dataDirectory(undefined)) return ''
  return ` --data ${/^[\w./\\:@-]+$/.test(data) ? data : `"${data}"`}`
}

function finishedWords(id: string, pictures: number, where: string) {
  return {
    en: `First recording finished: ${id}, ${pictures} pictures with their own times. Download it: npm run -s edgereel -- get ${id}${where}`,
    zh: `第一段录像已完成：${id}，共 ${pictures} 帧，时间真实。下载：npm run -s edgereel -- get ${id}${where}`,
  }
}

/** An agent that is enrolled at another cloud. */
function elsewhereWords(id: string, { message, messageZh }: AppError) {
  return {
    en: `First recording finished: ${id}. ${message}`,
    zh: `第一段录像已完成：${id}。${messageZh ?? ''}`,
  }
}

/** The simulated phone needs a moment to connect. */
async function startPhone(server: Server, signal: AbortSignal): Promise<PhonesAnswer> {
  for (;;) {
    const answer = await server
      .call<PhonesAnswer>('POST', '/agent/v1/phones/start', { fps: 25 })
      .catch(() => undefined)
    if (answer && answer.started.length > 0) return answer
    await sleep(pollMs, undefined, { signal })
  }
}

function realPhoneWords({ lan, port }: { lan: boolean; port: number }, where: string) {
  if (lan)
    return {
      en: 'To add a phone, open Phones on the page: it shows the address as a QR code.',
      zh: '添加手机：在网页打开“手机”，页面以二维码显示地址。',
    }
  return {
    en: `To add a real phone: stop this (Ctrl-C), run "npm run -s edgereel -- up --lan${where}", enter ws://<this machine's address>:${port}/android-cam in the app, and allow the phone on the page. Only --lan opens the port to the network.`,
    zh: `添加真实手机：先停止（Ctrl-C），运行 "npm run -s edgereel -- up --lan${where}"，在应用中输入 ws://<本机地址>:${port}/android-cam，并在网页上允许该手机。只有 --lan 才会对局域网开放端口。`,
  }
}

function say(words: { en: string; zh: string }): void {
  process.stdout.write(`${inLanguage(words)}\n`)
}
