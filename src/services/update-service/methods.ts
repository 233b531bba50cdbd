/** The ways to give the service an image (DSP2062 §3.1); what is switched off is not there (S2-08). */
export const updateMethods = ['multipart', 'raw', 'simple'] as const
export type UpdateMethod = (typeof updateMethods)[number]

export const allUpdateMethods: ReadonlySet<UpdateMethod> = new Set(updateMethods)
