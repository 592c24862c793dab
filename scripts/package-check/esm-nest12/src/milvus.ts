// The Milvus of the whole package check, until standard input ends.
import { MilvusLite } from 'nestjs-milvus/testing';

const milvus = await MilvusLite.start();
console.log(`Milvus on ${milvus.address}`);
process.stdin.resume().once('end', () => milvus.stop());
