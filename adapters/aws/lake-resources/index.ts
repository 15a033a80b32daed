export { createLakeResources, type LakeResources, type LakeResourcesOptions } from './lake-resources.ts';
export { LakeResourcesError, type LakeResourcesErrorCode } from './lake-resources-error.ts';
