import { AppError } from '../../shared/error.ts'
import { listAgents } from '../rows/access.ts'
import { segmentsBetween } from '../rows/segment.ts'
import type { ApiPorts } from './route.ts'

/** The agent whose stream of this name has something in [from, to): people seldom have two of one name. */
export async function onlyAgentWith(
  { catalogue }: ApiPorts,
  { stream, from, to }: { stream: string; from: number; to: number },
): Promise<string> {
  const having: string[] = []
  for (const { agent } of await listAgents(catalogue)) {
    for await (const _ of segmentsBetween(catalogue, { agent, stream, from, to })) {
      having.push(agent)
      break
    }
  }
  const [agent] = having
  if (agent === undefined) throw nothingArchived(stream)
  if (having.length === 1) return agent
  throw new AppError('InvalidArgument', `Several agents have this stream; say which: ${having.join(', ')}.`, {
    zh: `多个采集端有此流，请指定 agent：${having.join('、')}。`,
  })
}

export function nothingArchived(stream: string): AppError {
  return new AppError('NotFound', `The archive holds nothing of ${stream} in this range.`, {
    zh: `存档在此时间范围内没有 ${stream} 的内容。`,
  })
}
