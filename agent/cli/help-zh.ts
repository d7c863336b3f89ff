import type { Command } from 'commander'
import { timeForms } from './option.ts'

/** Chinese for what `--help` says of options, by the English text; what is a list of file types or a name stays. */
const words: Record<string, string> = {
  'output the version number': '显示版本号',
  'data directory (EDGEREEL_DATA)': '数据目录（EDGEREEL_DATA）',
  'configuration, YAML': 'YAML 配置文件',
  'HTTP port': 'HTTP 端口',
  'listen on the network, not on this machine only': '监听网络，而不只是本机',
  'by TLS, with a certificate of its own: /ca.pem is what browsers must trust':
    '使用自签证书的 TLS：浏览器须信任 /ca.pem',
  'by TLS, with a certificate of its own': '使用自签证书的 TLS',
  'with a simulated phone and a simulated IP camera': '附带模拟手机和模拟网络摄像机',
  'data directory of the running edgereel': '正在运行的 edgereel 的数据目录',
  'its HTTP port on this machine': '它在本机的 HTTP 端口',
  'its address (EDGEREEL_API)': '它的地址（EDGEREEL_API）',
  'a token (EDGEREEL_TOKEN)': '令牌（EDGEREEL_TOKEN）',
  'one JSON value on stdout': '向标准输出写一个 JSON 值',
  'of the functions: arm64 or x86_64': '函数的架构：arm64 或 x86_64',
  'a static Linux FFmpeg of that architecture': '该架构的 Linux 静态 FFmpeg',
  'with sudo: the account under which it runs': '与 sudo 同用：运行服务的账户',
  'with sudo: bounds what the kernel holds for viewers that do not read':
    '与 sudo 同用：限制内核为不读取的观看者缓存的数据',
  'shows what would be installed': '只显示将要安装的内容',
  'mend what can be mended': '修复可以修复的问题',
  [timeForms]: `${timeForms}（时间）`,
  'stops by itself': '到时自动停止',
  'of the recording': '录像标题',
  'starts nothing unless these give pictures: all, or names with commas between':
    '只有这些流都有画面才开始：all，或以逗号分隔的名称',
  'where to; - is stdout': '保存到何处；- 为标准输出',
  [`of the picture nearest to it: ${timeForms}`]: `取最接近该时间的画面：${timeForms}`,
  'viewer, publisher, operator or admin': '角色：viewer、publisher、operator 或 admin',
  'good for this stream only': '只对此流有效',
  'a line that makes another machine the agent <name> of this cloud, once, within 15 minutes':
    '给出一行命令，15 分钟内可将另一台机器注册为此云端的采集端 <name>，仅一次',
  'the first admin of a stack on AWS, by your own AWS credentials':
    '用你自己的 AWS 凭证创建 AWS 部署的第一个管理员',
  'with --aws: the table of the stack, instead of cdk-outputs.json':
    '与 --aws 同用：部署的表名，代替 cdk-outputs.json',
  'to send it; else to watch it': '用于推送；否则用于观看',
  'how long they are good': '有效多少秒',
  'only those of this stream': '只列出此流的录像',
  [`begun at or after: ${timeForms}`]: `此时或之后开始：${timeForms}`,
  'begun before': '在此之前开始',
  'with this in the title': '标题包含',
  'with this label': '带有此标签',
  'at most so many, 1 to 100': '最多多少条，1 到 100',
  'where to, of a recording with one file': '保存为此文件（录像只有一个文件时）',
  'only this one': '只取此流',
  'mp4, h264 (the raw stream) or csv (the time of every picture)':
    'mp4、h264（原始码流）或 csv（每一帧的时间）',
  'how long it is good; 7 days if not given': '有效多少秒；默认 7 天',
  'where the results go': '结果保存到何处',
  'modular or v2, else both; may be given twice': 'modular 或 v2，默认两者；可给出两次',
  'encodes the pictures again where the cut lies between key frames': '切点位于关键帧之间时重新编码画面',
  'high, normal or low': '优先级：high、normal 或 low',
  'until it ends': '跟踪直到结束',
  'address of /android-cam': '/android-cam 的地址',
  'publisher token': '推流令牌',
  'stamps since boot, or since 1970: boot or epoch': '时间戳自开机或自 1970 年起：boot 或 epoch',
  'of a .264 without times': '用于没有时间的 .264',
  'what it calls itself': '它自称的型号',
  'how many phones': '手机数量',
  'plays the file once as one capture, then ends': '将文件作为一次拍摄播放一遍后结束',
  'where to push': '推送到何处',
  'stamps from 0, or since 1970: boot or epoch': '时间戳自 0 或自 1970 年起：boot 或 epoch',
  'pushes the file once, then ends': '推送文件一遍后结束',
  'where it listens': '监听端口',
  'where it answers for stills (ISAPI, CGI); the next port if not given':
    '应答截图（ISAPI、CGI）的端口；默认为下一个端口',
  'its address': '监听地址',
  'who may watch; without, everybody': '谁可以观看；不给则人人可看',
  'of that user': '该用户的密码',
  'MD5, SHA-256 or Basic': '认证方式：MD5、SHA-256 或 Basic',
  'where to': '发往何处',
  'SIM of the first vehicle': '第一辆车的 SIM 卡号',
  'how many vehicles; their SIMs count up': '车辆数量；SIM 卡号依次递增',
  'of each vehicle': '每辆车的通道数',
  '2016 or 2019': '协议版本：2016 或 2019',
  'of a file without times': '用于没有时间的文件',
  'g711a, g711u or none': '声音：g711a、g711u 或 none',
  'most that one packet holds': '每个包的最大内容',
  'of the packets': '丢包百分比',
  'breaks each connection so often': '每隔多少秒断开连接',
  'sends the file once, then ends': '发送文件一遍后结束',
  'waits for commands there instead': '改为在那里等待指令',
  'from a command to the connection': '从指令到连接的毫秒数',
  'with --redis: the edgereel that is told what vehicles hold (EDGEREEL_API)':
    '与 --redis 同用：将车辆所存录像告知此 edgereel（EDGEREEL_API）',
  'an operator’s token (EDGEREEL_TOKEN)': '操作员令牌（EDGEREEL_TOKEN）',
  'or the data directory of one on this machine': '或本机 edgereel 的数据目录',
}

const titles: Record<string, string> = { 'Usage:': '用法：', 'Options:': '选项：', 'Commands:': '命令：' }

/** The help of a command and of all below it, in Chinese. */
export function translateHelp(command: Command): void {
  command.configureHelp({ styleTitle: (title) => titles[title] ?? title })
  command.helpOption('-h, --help', '显示帮助')
  if (command.commands.length > 0) command.helpCommand('help [command]', '显示命令的帮助')
  for (const option of command.options) option.description = words[option.description] ?? option.description
  for (const below of command.commands) translateHelp(below)
}
