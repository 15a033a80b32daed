export { createApp } from './app.ts';
export { type Deployment, defineDeployment } from './deployment.ts';
