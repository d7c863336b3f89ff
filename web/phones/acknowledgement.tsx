import type { JSX } from 'preact'
import type { PhonesAnswer, PhonesStopped } from '../../shared/contract/agent-api.ts'
import { language, text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'

/** `3 of 4 started`, then each phone with its answer. */
export function Acknowledgement({ answer }: { answer: PhonesAnswer | PhonesStopped }): JSX.Element {
  const words = text.value.phones
  const starting = 'started' in answer
  const done = starting ? answer.started : answer.stopped
  const all = Math.max(answer.sent.length, done.length + answer.failed.length)
  const verdict = starting ? words.startedOf(done.length, all) : words.stoppedOf(done.length, all)
  return (
    <div class="acknowledgement" role="status">
      <b>{all === 0 ? words.noneReady : verdict}</b>
      <ul>
        {done.map((name) => (
          <li key={name} class="ack-ok">
            <Icon name="check" />
            {name}: {starting ? words.acknowledged : words.acknowledgedStop}
          </li>
        ))}
        {answer.failed.map(({ name, reason, reasonZh }) => (
          <li key={name} class="ack-bad">
            <Icon name="warning" />
            {name}: {language.value === 'zh' ? (reasonZh ?? reason) : reason}
          </li>
        ))}
      </ul>
    </div>
  )
}
