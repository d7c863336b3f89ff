import { AppError } from '../../shared/error.ts'
import { uploadBatchMax } from '../../shared/limits.ts'
import type { Pace } from './bandwidth.ts'
import type { CloudApi, RecordingAnswer } from './cloud-api.ts'
import type { CloudClient } from './cloud-client.ts'
import { putFile } from './put-file.ts'
import type { PendingRecording, UploadSource } from './source.ts'
import { StoreDenied } from './store-denial.ts'

/**
 * Sends revisions of recordings: a few kB each, whatever the hours. The question that gave the address,
 * asked again after the PUT, is the confirmation. Answers how many were confirmed.
 */
export async function uploadRecordings(
  options: {
    client: CloudClient
    api: CloudApi
    source: UploadSource
    pace: Pace
    onSetAside: (error: AppError) => void
    /** Revisions whose name is another's in the cloud: not tried again before the next start. */
    aside: Set<string>
  },
  pending: PendingRecording[],
  signal: AbortSignal,
): Promise<number> {
  const { client, api, source, pace } = options
  const batch = pending.filter((recording) => !options.aside.has(revName(recording))).slice(0, uploadBatchMax)
  if (batch.length === 0) return 0
  const answers = await api.recordings(batch.map(asQuestion), signal)
  const sent: PendingRecording[] = []
  for (const [i, recording] of batch.entries()) {
    const target = answers[i]?.target
    if (answers[i]?.status !== 'missing' || !target) continue
    const bytes = await source.readRecording(recording.id)
    if (bytes.length !== recording.sizeBytes) continue // A newer revision has taken its place: next round.
    const body = async function* () {
      yield bytes
    }
    const outcome = await putFile({ client, target, file: recording, body, pace, signal })
    if (outcome === 'stored' || outcome === 'taken') sent.push(recording)
    if (outcome === 'expired') throw new StoreDenied()
  }
  const confirmed = await settle(options, batch, answers)
  if (sent.length === 0) return confirmed
  return confirmed + (await settle(options, sent, await api.recordings(sent.map(asQuestion), signal)))
}

async function settle(
  options: { source: UploadSource; onSetAside: (error: AppError) => void; aside: Set<string> },
  recordings: PendingRecording[],
  answers: RecordingAnswer[],
): Promise<number> {
  const done = recordings.filter((_, i) => answers[i]?.status === 'stored')
  if (done.length > 0) {
    await options.source.markUploaded({ recordings: done.map(({ id, rev }) => ({ id, rev })) })
  }
  for (const [i, recording] of recordings.entries()) {
    if (answers[i]?.status !== 'mismatch') continue
    const name = revName(recording)
    options.aside.add(name)
    options.onSetAside(
      new AppError('DataLoss', `The cloud holds another recording under the name ${name}.`, {
        zh: `云端已有同名录像 ${name}，内容不同。`,
      }),
    )
  }
  return done.length
}

function revName({ id, rev }: PendingRecording): string {
  return `${id} (revision ${rev})`
}

function asQuestion({ id, rev, sizeBytes, sha256 }: PendingRecording): PendingRecording {
  return { id, rev, sizeBytes, sha256 }
}
