import type { DeadLettersPage } from '../../shared/contract/api.ts'
import { type Output, print, table } from './output.ts'
import type { Server } from './server.ts'
import { inLanguage } from './words.ts'

const bodyCharsShown = 120 // Enough to see which object; `--json` has it whole.

/** `edgereel dlq ls`: messages of jobs that failed for ever. */
export async function listDeadLetters(server: Server, output: Output) {
  const answer = await server.call<DeadLettersPage>('GET', '/v1/dead-letters')
  const head = inLanguage({ en: 'queue id message', zh: '队列 编号 消息' }).split(' ')
  const row = ({ queue, id, body }: DeadLettersPage['deadLetters'][number]) => [
    queue,
    id,
    body.slice(0, bodyCharsShown),
  ]
  print(output, answer, () => table(head, answer.deadLetters.map(row)))
}

/** `edgereel dlq redrive QUEUE ID`: the job begins anew, its attempts counted from none. */
export async function redriveDeadLetter(server: Server, output: Output, queue: string, id: string) {
  await server.call('POST', `/v1/dead-letters/${encodeURIComponent(queue)}/${encodeURIComponent(id)}/redrive`)
  print(output, { queue, id, redriven: true }, () =>
    inLanguage({ en: `${id} is in the queue ${queue} again`, zh: `${id} 已重新放入队列 ${queue}` }),
  )
}
