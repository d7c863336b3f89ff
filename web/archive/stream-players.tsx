import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { links } from '../api.ts'
import { text } from '../text/text.ts'
import { Button } from '../ui/parts.tsx'
import { ExportProgress } from './export-progress.tsx'
import { FilePlayer } from './file-player.tsx'
import { Thumbnail } from './thumbnail.tsx'
import type { RecordingState } from './words.ts'

type Props = { recording: RecordingDetail; state: RecordingState }

/** The player of one stream, and the choice between streams and between the parts of one. */
export function StreamPlayers({ recording, state }: Props): JSX.Element {
  const [chosen, setChosen] = useState(0)
  const [part, setPart] = useState(0)
  const stream = recording.streams[chosen] ?? recording.streams[0]
  const files = stream?.export.files ?? []
  const file = files[part] ?? files[0]
  return (
    <section class="player-card">
      {recording.streams.length > 1 && (
        <Choice
          names={recording.streams.map(({ name }) => name)}
          chosen={chosen}
          onChoose={(index) => {
            setChosen(index)
            setPart(0)
          }}
        />
      )}
      {stream && file ? (
        <FilePlayer
          key={`${stream.name}/${file.part}`}
          source={links.download(recording.id, stream.name, file.part, 'mp4')}
          poster={links.thumbnail(recording.id, stream.name)}
          file={file}
          gaps={stream.gaps}
        />
      ) : (
        <NotYet recording={recording} state={state} task={stream?.export.task} />
      )}
      {files.length > 1 && (
        <Choice
          names={files.map((_, index) => text.value.archive.part(index + 1, files.length))}
          chosen={part}
          onChoose={setPart}
        />
      )}
    </section>
  )
}

type ChoiceProps = { names: string[]; chosen: number; onChoose: (index: number) => void }

function Choice({ names, chosen, onChoose }: ChoiceProps): JSX.Element {
  return (
    <div class="choice">
      {names.map((name, index) => (
        <Button key={name} pressed={index === chosen} onClick={() => onChoose(index)}>
          {name}
        </Button>
      ))}
    </div>
  )
}

function NotYet({ recording, state, task }: Props & { task: string | undefined }): JSX.Element {
  const working = state === 'processing' || state === 'uploading'
  return (
    <div class="player-empty" data-state={state}>
      <Thumbnail key={recording.state} recording={recording} />
      <div class="player-words" role="status">
        {working && !task && <span class="spinner" />}
        <p>{text.value.archive.notYet[state]}</p>
        {task && <ExportProgress id={task} failed={state === 'failed'} />}
      </div>
    </div>
  )
}
