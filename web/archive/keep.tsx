import type { JSX } from 'preact'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { cloud } from '../api.ts'
import { mayAdminister } from '../model.ts'
import { goTo } from '../route.ts'
import { text } from '../text/text.ts'
import { confirm } from '../ui/confirm.tsx'
import { attempt, tell } from '../ui/notice.tsx'
import { Button } from '../ui/parts.tsx'
import { firstPage } from './archive-model.ts'
import { titleOf } from './words.ts'

type KeepProps = { recording: RecordingDetail; refresh: () => Promise<void> }

/** Hold and deletion: what decides how long a recording stays. */
export function Keep({ recording, refresh }: KeepProps): JSX.Element {
  const words = text.value.archive
  const open = recording.state === 'open' || recording.state === 'armed'
  const setHold = (hold: boolean): Promise<boolean> =>
    attempt(async () => {
      await cloud.hold(recording.id, hold)
      await refresh()
    })
  const remove = async (): Promise<void> => {
    const yes = await confirm(words.deleteTitle, words.deleteBody(titleOf(recording)), words.delete)
    if (!yes) return
    await attempt(async () => {
      await cloud.deleteRecording(recording.id)
      tell(words.deleted)
      void firstPage.refresh()
      goTo('archive')
    })
  }
  return (
    <section class="card">
      <label class="switch">
        <input
          type="checkbox"
          role="switch"
          aria-checked={recording.hold}
          checked={recording.hold}
          onChange={(event) => void setHold(event.currentTarget.checked)}
        />
        <span>
          <b>{words.hold}</b>
          <span class="muted small block">{words.holdBody}</span>
        </span>
      </label>
      {mayAdminister.value && (
        <Button kind="danger" icon="trash" disabled={recording.hold || open} onClick={() => void remove()}>
          {words.delete}
        </Button>
      )}
    </section>
  )
}
