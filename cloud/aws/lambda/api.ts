import { readPages } from '../../../shared/node/read-pages.ts'
import { openAwsCloud } from '../aws-cloud.ts'
import { apiHandler } from './api-handler.ts'

const cloud = openAwsCloud()
const pages = await readPages(`${import.meta.dirname}/web`) // The stack puts it beside the bundle.
const store = new URL(await cloud.store.presignGet({ key: 'exports/none', expiresS: 1 })).origin

/** The cloud API, and the page, behind an HTTP API of API Gateway (payload format 2.0). */
export const handler = apiHandler(cloud, { pages, store })
