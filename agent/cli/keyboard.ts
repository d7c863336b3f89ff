import type { PhoneInfo, PhonesAnswer, PhonesStopped } from '../../shared/contract/agent-api.ts'
import { openTerminal } from '../control/terminal.ts'
import { ownServer } from './server.ts'
import { language } from './words.ts'

/** `start`, `stop` and `status` on the terminal on which `up` was started. */
export async function openKeyboard(options: { data: string; port: string }): Promise<Disposable> {
  const server = await ownServer(options)
  const phones = {
    start: (settings: object) => server.call<PhonesAnswer>('POST', '/agent/v1/phones/start', settings),
    stop: () => server.call<PhonesStopped>('POST', '/agent/v1/phones/stop'),
    list: async () => (await server.call<{ phones: PhoneInfo[] }>('GET', '/agent/v1/phones')).phones,
  }
  const terminal = { input: process.stdin, output: process.stdout, chinese: language() === 'zh' }
  return openTerminal({ phones }, terminal)
}
