#!/bin/sh
# Makes the built-in clip of the simulated cameras: ten seconds of a clock that one can read time from.
# Digits count seconds and hundredths, the hand goes round once a second, the bar fills in ten seconds.
# Needs ffmpeg with libx264 and the DejaVu font; only run to change the clip, whose result is committed:
# clip.h264 (Annex B) and clip.json ({fps, pictures: bytes of each access unit}).
set -eu
cd "$(dirname "$0")"
font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf}
seconds=10
fps=25

# The hand: the pixels nearest to the ray from the middle of the dial, at the angle of the fraction of the second.
hand="hypot(X-500,Y-150)"
dial="if(lt(abs($hand-88),3),200,if(lt($hand,80)*lt(abs((X-500)*cos(2*PI*T)+(Y-150)*sin(2*PI*T)),4)*gt((X-500)*sin(2*PI*T)-(Y-150)*cos(2*PI*T),0),235,lum(X,Y)))"

ffmpeg -nostdin -hide_banner -v error -y \
  -f lavfi -i "color=c=0x14222e:s=640x360:r=$fps:d=$seconds,format=yuv420p,
geq=lum='$dial':cb='if(lt($hand,92),118,cb(X,Y))':cr='if(lt($hand,92),140,cr(X,Y))',
drawtext=fontfile=$font:fontcolor=white:fontsize=120:x=40:y=95:text='%{eif\:floor(t+0.001)\:d\:2}.%{eif\:mod(floor(t*100+0.1)\,100)\:d\:2}',
drawtext=fontfile=$font:fontcolor=0x9fb4c4:fontsize=24:x=44:y=230:text='edgereel  simulated camera',
drawbox=x=40:y=300:w=560:h=24:color=0x2d4354:t=fill" \
  -f lavfi -i "color=c=0xf2a541:s=560x24:r=$fps:d=$seconds,format=yuv420p" \
  -filter_complex "[0][1]overlay=x='40-560+560*(t+1/$fps)/$seconds':y=300[full];[full]drawbox=x=0:y=300:w=40:h=24:color=0x14222e:t=fill,format=yuv420p[out]" \
  -map '[out]' -an -c:v libx264 -preset veryslow -profile:v baseline -level 3.0 -b:v 260k -maxrate 300k -bufsize 300k \
  -g "$fps" -keyint_min "$fps" -sc_threshold 0 -bf 0 -threads 1 -map_metadata -1 -fflags +bitexact -flags:v +bitexact \
  -x264-params "sliced-threads=0:aud=0:repeat-headers=1" -bsf:v "filter_units=remove_types=6" \
  -f h264 clip.h264

ffprobe -v error -f h264 -framerate "$fps" -show_entries packet=size -of csv=p=0 clip.h264 |
  awk -v fps="$fps" '{ sizes = sizes (NR > 1 ? "," : "") $1 + 0 } END { printf "{\"fps\":%d,\"pictures\":[%s]}\n", fps, sizes }' \
  > clip.json
ls -l clip.h264 clip.json
