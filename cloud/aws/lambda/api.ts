import { openAwsCloud } from '../aws-cloud.ts'
import { apiHandler } from './api-handler.ts'

/** The cloud API behind an HTTP API of API Gateway (payload format 2.0). */
export const handler = apiHandler(openAwsCloud())
