import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { Pages } from '../../../shared/node/read-pages.ts'
import { type Api, createApi } from '../../api/app.ts'
import type { JobPorts } from '../../jobs/job-ports.ts'
import { requestOf, resultOf } from './api-event.ts'
import { telemetryOf } from './telemetry.ts'

/** The same hono app as on one PC. Addresses in its answers begin with the name under which it was reached first. */
export function apiHandler(
  ports: JobPorts,
  page?: { pages: Pages; store: string },
  publicUrl = process.env.EDGEREEL_PUBLIC_URL,
) {
  const { logger } = telemetryOf('api')
  let api: Api | undefined
  const open = (domainName: string) =>
    createApi({
      ...ports,
      ...(page && { page }),
      publicUrl: publicUrl ?? `https://${domainName}`,
      onError: (error, requestId) => logger.error('A request failed.', { error, requestId }),
    })
  return async (
    event: APIGatewayProxyEventV2,
    context: Context,
  ): Promise<APIGatewayProxyStructuredResultV2> => {
    logger.addContext(context)
    api ??= open(event.requestContext.domainName)
    return await resultOf(await api.fetch(requestOf(event)))
  }
}
